"""Tests of seconds per call from rounds with costly round trips, and of their flags."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from kernelwright.verifier.timing.rounds import CANDIDATE, COMPILE, EAGER, Rounds, Timed
from kernelwright.verifier.timing.summary import summarize, wants_more_workers, with_known_compile
from kernelwright.verifier.worker.sampler import CodeSamples

OVERHEAD, EAGER_S, OWN_S, CALLS, SEED = 0.8e-3, 100e-6, 50e-6, 100, 1


def rounds(count: int = 24, own_s: float = OWN_S, half_costs: float = 1.0) -> Rounds:
    """Make rounds of equal calls; the candidate's halved ones take `half_costs` times as long."""
    rng = np.random.default_rng(SEED)
    made = Rounds([CANDIDATE, EAGER], CALLS)
    for number in range(count):
        halved = number % 4 == 0
        made.halved.append(halved)
        for name, call_s in ((CANDIDATE, own_s * (half_costs if halved else 1)), (EAGER, EAGER_S)):
            seconds = (
                made.iterations_in(halved) * call_s * float(np.exp(0.01 * rng.standard_normal()))
            )
            made.worker[name].append(seconds)
            made.judge[name].append(seconds + OVERHEAD)
    return made


def timed(found: Rounds, single_calls: Rounds | None = None, checked: int = 4) -> Timed:
    return Timed(
        found, single_calls or Rounds([CANDIDATE, EAGER], 1), CodeSamples(Counter()), (), checked
    )


def single_calls(own_s: float, eager_s: float) -> Rounds:
    """Make single calls with these seconds each."""
    made = Rounds([CANDIDATE, EAGER], 1)
    made.halved = [False] * 12
    for name, call_s in ((CANDIDATE, own_s), (EAGER, eager_s)):
        made.worker[name] = [call_s] * 12
        made.judge[name] = [call_s + OVERHEAD] * 12
    return made


def flags(*workers: Rounds) -> list[str]:
    summary = summarize([timed(one) for one in workers], SEED)
    return [flag.rule for flag in summary.flags]


def test_the_constant_part_is_taken_off_all_sides() -> None:
    found = rounds()
    assert found.overhead_s == pytest.approx(OVERHEAD)
    assert np.median(found.per_call(CANDIDATE).judge) == pytest.approx(OWN_S, rel=0.02)
    assert np.median(found.ratios()[EAGER]) == pytest.approx(EAGER_S / OWN_S, rel=0.02)


def test_a_candidate_cannot_stretch_the_constant_part() -> None:
    found = rounds()
    before = found.overhead_s
    found.judge[CANDIDATE] = [seconds + 1.0 for seconds in found.judge[CANDIDATE]]
    assert found.overhead_s == before


def test_a_constant_part_found_too_large_makes_nobody_fast() -> None:
    found = rounds()
    found.worker[EAGER] = [0.0] * len(found)
    calls = [found.iterations_in(halved) for halved in found.halved]
    half = np.asarray(found.judge[CANDIDATE]) / calls / 2
    assert found.per_call(CANDIDATE).judge == pytest.approx(half)


@pytest.mark.parametrize(("own_s", "expected"), [(94e-6, True), (107e-6, True), (OWN_S, False)])
def test_speedups_close_to_1_are_worth_more_workers(own_s: float, expected: bool) -> None:
    assert wants_more_workers([timed(rounds(own_s=own_s))], SEED) is expected


def test_a_narrow_interval_is_not_worth_more_workers() -> None:
    equal = timed(rounds(own_s=EAGER_S))
    assert wants_more_workers([equal] * 2, SEED)
    assert not wants_more_workers([equal] * 4, SEED)


def test_what_is_checked_adds_up_over_workers() -> None:
    summary = summarize([timed(rounds(), checked=3), timed(rounds())], SEED)
    assert summary.checked == 7
    assert len(summary.timing[CANDIDATE].samples_us) == 48
    assert summary.flags == ()


def test_work_moved_from_call_to_call_is_flagged() -> None:
    assert flags(rounds(half_costs=1.6)) == ["not-linear"]


def test_a_worker_that_was_much_faster_than_another_is_flagged() -> None:
    assert flags(rounds(), rounds(own_s=0.7 * OWN_S)) == ["noisy-machine"]
    assert flags(rounds(), rounds(own_s=0.78 * OWN_S)) == ["not-reproduced"]


def test_a_clock_that_tells_less_is_flagged() -> None:
    found = rounds()
    found.worker[CANDIDATE] = [seconds / 2 for seconds in found.worker[CANDIDATE]]
    assert flags(found) == ["clocks-disagree"]


def test_noise_does_not_hide_a_clock_that_tells_much_less() -> None:
    found = rounds()
    for index in range(0, len(found), 2):
        found.judge[CANDIDATE][index] *= 1.5
        found.worker[CANDIDATE][index] *= 1.5
    assert flags(found) == ["noisy-machine"]
    found.worker[CANDIDATE] = [seconds / 4 for seconds in found.worker[CANDIDATE]]
    assert flags(found) == ["noisy-machine", "clocks-disagree"]


def test_too_few_half_rounds_say_nothing() -> None:
    assert flags(rounds(count=8, half_costs=1.6)) == []


SLOW_S = 7 * EAGER_S


@pytest.mark.parametrize(
    ("in_round_s", "own_s", "eager_s", "is_refused"),
    [
        (OWN_S, OWN_S, EAGER_S, False),
        (OWN_S, OWN_S + 80e-6, EAGER_S, False),  # threads that have to be woken up
        (OWN_S, OWN_S + 530e-6, EAGER_S + 450e-6, False),  # caches that are cold for eager as well
        (OWN_S, OWN_S + 1900e-6, EAGER_S, True),
        (OWN_S, OWN_S + 150e-6, EAGER_S + 45e-6, True),  # faster than eager: no more than eager's
        (SLOW_S, SLOW_S + 600e-6, EAGER_S + 45e-6, False),  # more code, and all of it cold
        (SLOW_S, SLOW_S + 700e-6, EAGER_S + 45e-6, True),
    ],
)
def test_calls_that_were_done_together_are_refused(
    in_round_s: float, own_s: float, eager_s: float, is_refused: bool
) -> None:
    measured = timed(rounds(own_s=in_round_s), single_calls(own_s, eager_s))
    summary = summarize([measured], SEED)
    rules = [flag.rule for flag in summary.flags if flag.severity == "refuse"]
    assert rules == (["batched-calls"] if is_refused else [])


def test_one_lucky_call_of_eager_refuses_nobody() -> None:
    disturbed = single_calls(OWN_S + 300e-6, EAGER_S + 300e-6)
    disturbed.judge[EAGER][5] -= 300e-6
    disturbed.worker[EAGER][5] -= 300e-6
    assert summarize([timed(rounds(), disturbed)], SEED).flags == ()


def test_a_summary_without_torch_compile_takes_its_speedup_from_an_earlier_one() -> None:
    earlier = rounds()
    for clock in (earlier.judge, earlier.worker):  # as fast as the candidate
        clock[COMPILE] = list(clock[CANDIDATE])
    known = summarize([timed(earlier)], SEED).compile_speedup
    assert known is not None
    assert known.median == pytest.approx(EAGER_S / OWN_S, rel=0.03)
    own = summarize([timed(rounds())], SEED)
    assert own.compile_speedup is None and set(own.speedup) == {EAGER}
    assert with_known_compile(own, None) == own
    found = with_known_compile(own, known).speedup[COMPILE]
    assert found.median == pytest.approx(1, rel=0.03)
    eager = own.speedup[EAGER]
    assert found.ci95[1] / found.ci95[0] > eager.ci95[1] / eager.ci95[0]
    assert COMPILE not in own.timing
