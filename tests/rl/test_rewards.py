from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.errors import UsageError
from kernelwright.rl.rewards import (
    KEVIN_SPEEDUP_CAP,
    LOG_FAILURES,
    LOG_HIGH,
    LOG_LOW,
    REWARDS,
    get_reward,
)
from kernelwright.schema import Evaluation, Flag, Speedup, Status
from tests.store import samples

REFUSAL = Flag(rule="roofline", severity="refuse", evidence="faster than memory allows")
SUSPICION = Flag(rule="threads", severity="suspicious", evidence="a thread outlived the call")
RATIOS = st.floats(min_value=1e-6, max_value=1e6)
FAULTS = [status for status in Status if status is not Status.PASSED]


def verdict(median: float, low: float | None = None) -> Evaluation:
    lower = median if low is None else low
    ratios = {"eager": Speedup(median=median, ci95=(lower, max(median, lower)))}
    return samples.evaluation(samples.candidate(), 1.0).model_copy(update={"speedup": ratios})


def failure(status: Status) -> Evaluation:
    return samples.evaluation(samples.candidate(), 5.0, status=status)


@pytest.mark.parametrize(
    ("key", "evaluation", "total"),
    [
        ("kevin_v1", verdict(2.0), 2.3),
        ("kevin_v1", verdict(0.5), 0.8),
        ("kevin_v1", verdict(400.0), 10.3),
        ("kevin_v1", failure(Status.INCORRECT_NUMERICAL), 0.0),
        ("kevin_v1", failure(Status.REWARD_HACK), 0.0),
        ("log_speedup_v1", verdict(2.2, low=2.0), 1.0),
        ("log_speedup_v1", verdict(1.0), 0.0),
        ("log_speedup_v1", verdict(0.01), -1.0),
        ("log_speedup_v1", verdict(0.0, low=-1.0), -1.0),
        ("log_speedup_v1", verdict(4000.0), 3.0),
        ("log_speedup_v1", failure(Status.COMPILE_ERROR), -2.5),
        ("log_speedup_v1", failure(Status.REWARD_HACK), -3.0),
    ],
)
def test_table_of_rewards(key: str, evaluation: Evaluation, total: float) -> None:
    assert get_reward(key).score(evaluation).total == pytest.approx(total)


@pytest.mark.parametrize("key", list(REWARDS))
def test_what_says_nothing_about_the_candidate_has_no_reward(key: str) -> None:
    untimed = samples.evaluation(samples.candidate(), None)
    for evaluation in (None, failure(Status.INVALID_REFERENCE), untimed):
        reward = get_reward(key).score(evaluation)
        assert reward.total is None and reward.parts == {}
    assert get_reward(key)(samples.attempt(error="no device")).total is None


@pytest.mark.parametrize("key", list(REWARDS))
def test_a_refused_candidate_gets_no_credit_for_its_speed(key: str) -> None:
    refused = samples.evaluation(samples.candidate(), 9.0, flags=(REFUSAL,))
    suspicious = samples.evaluation(samples.candidate(), 9.0, flags=(SUSPICION,))
    worst = min(_total(key, failure(status)) for status in LOG_FAILURES)
    assert _total(key, refused) == worst
    assert _total(key, suspicious) > _total(key, verdict(1.0))


@pytest.mark.parametrize("key", list(REWARDS))
@given(slow=RATIOS, fast=RATIOS)
def test_faster_is_never_worth_less(key: str, slow: float, fast: float) -> None:
    slow, fast = sorted((slow, fast))
    assert _total(key, verdict(slow)) <= _total(key, verdict(fast))


@pytest.mark.parametrize("key", list(REWARDS))
@given(ratio=RATIOS, status=st.sampled_from(list(LOG_FAILURES)))
def test_right_is_always_worth_more_than_wrong(key: str, ratio: float, status: Status) -> None:
    assert _total(key, verdict(ratio)) > _total(key, failure(status))


@given(median=st.floats(0, math.inf), low=st.floats(-math.inf, math.inf))
def test_rewards_are_bounded(median: float, low: float) -> None:
    assert LOG_LOW <= _total("log_speedup_v1", verdict(median, low)) <= LOG_HIGH
    assert 0 <= _total("kevin_v1", verdict(median, low)) <= KEVIN_SPEEDUP_CAP + 0.3


@given(low=RATIOS, lower=RATIOS)
def test_a_less_certain_speedup_is_never_worth_more(low: float, lower: float) -> None:
    lower, low = sorted((lower, low))
    sure, unsure = verdict(1e6, low), verdict(1e6, lower)
    assert _total("log_speedup_v1", unsure) <= _total("log_speedup_v1", sure)


def test_every_fault_of_a_candidate_has_its_step() -> None:
    assert set(LOG_FAILURES) == set(FAULTS) - {Status.INVALID_REFERENCE}
    assert max(LOG_FAILURES.values()) < LOG_LOW


def test_a_reward_names_its_formula_and_adds_up() -> None:
    reward = get_reward("kevin_v1")(samples.attempt())
    assert (reward.function, reward.version) == ("kevin", 1)
    assert reward.total == sum(reward.parts.values())
    with pytest.raises(UsageError) as caught:
        get_reward("kevin")
    assert "'kevin_v1'" in str(caught.value.hint)


def _total(key: str, evaluation: Evaluation) -> float:
    total = get_reward(key).score(evaluation).total
    assert total is not None
    return total
