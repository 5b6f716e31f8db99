"""Budgets: reserved before, settled after, never overshot however many calls run at once."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.agents.model.budget import ROUNDING_USD, Amounts, Budget
from kernelwright.agents.proposer import BudgetExhausted
from kernelwright.config import Allowance
from kernelwright.schema import Usage


def usage(usd: float | None, tokens: int | None = 1) -> Usage:
    return Usage(input_tokens=tokens, output_tokens=0 if tokens is not None else None, cost_usd=usd)


def spend(budget: Budget, worst: float, actual: float | None = None) -> None:
    with budget.reserved(usage(worst)) as reservation:
        if actual is not None:
            reservation.settle(usage(actual))


def test_a_call_that_might_pass_the_limit_is_not_made() -> None:
    budget = Budget(Allowance(usd=0.5))
    spend(budget, 0.3, 0.25)
    with pytest.raises(BudgetExhausted, match=r"\$0.25 of \$0.5 used; .* up to \$0.3") as caught:
        spend(budget, 0.3, 0.25)
    assert caught.value.scope == "run"
    spend(budget, 0.25, 0.25)
    assert budget.used == Amounts(0.5, 2, 2)


@pytest.mark.parametrize("nothing", [{"usd": 0.0}, {"tokens": 0}, {"calls": 0}, {"seconds": 0}])
def test_nothing_allowed_is_no_call(nothing: dict[str, float]) -> None:
    budget = Budget(Allowance.model_validate(nothing))
    with pytest.raises(BudgetExhausted), budget.reserved(usage(None, None)):
        raise AssertionError("the call was made")


def test_what_a_call_does_not_tell_counts_as_the_worst_case() -> None:
    budget = Budget(Allowance(usd=1.0, tokens=100))
    with budget.reserved(usage(0.4, 40)) as reservation:
        reservation.settle(Usage(input_tokens=3))
    spend(budget, 0.4)  # failed, it is not known when
    assert budget.used == Amounts(0.8, 4, 2)


def test_a_try_that_was_lost_counts_and_the_next_is_held_back_anew() -> None:
    budget = Budget(Allowance(usd=1.0))
    with budget.reserved(usage(0.4)) as reservation:
        reservation.renew()
        assert budget.used == Amounts(0.4, 1, 1)
        reservation.settle(usage(0.1))
    assert budget.used == Amounts(0.5, 2, 2)
    with pytest.raises(BudgetExhausted), budget.reserved(usage(0.4)) as reservation:
        reservation.renew()
    assert budget.used == Amounts(0.9, 3, 3)
    spend(budget, 0.1)  # nothing is still held


def test_lost_tries_do_not_wait_for_each_other() -> None:
    """Check that a lost try holds nothing while it waits: two would wait for each other."""
    budget = Budget(Allowance(usd=1.0))
    both_hold = threading.Barrier(2)

    def lose() -> bool:
        try:
            with budget.reserved(usage(0.5)) as reservation:
                both_hold.wait(10)
                reservation.renew()
        except BudgetExhausted:
            return True
        return False

    with ThreadPoolExecutor(2) as pool:
        lost = [pool.submit(lose) for _ in range(2)]
        assert [one.result(timeout=30) for one in lost] == [True, True]
    assert budget.used.usd == 1.0


def test_an_unknown_price_is_held_by_tokens_and_calls() -> None:
    budget = Budget(Allowance(usd=1.0, tokens=10))
    with budget.reserved(usage(None, 6)):
        pass
    assert budget.spent_usd == 0.0
    with (
        pytest.raises(BudgetExhausted, match="6 tokens of 10 tokens"),
        budget.reserved(usage(None, 6)),
    ):
        pass


def test_every_scope_counts_and_the_narrowest_says_so() -> None:
    run = Budget(Allowance(usd=10.0))
    task = run.inner("task", Allowance(calls=3))
    first, second = (task.inner("attempt", Allowance(calls=2)) for _ in range(2))
    spend(first, 1, 1)
    spend(first, 1, 1)
    with pytest.raises(BudgetExhausted, match="attempt") as caught:
        spend(first, 1, 1)
    assert caught.value.scope == "attempt"
    spend(second, 1, 1)
    with pytest.raises(BudgetExhausted, match="task: 3 calls of 3 calls used"):
        spend(second, 1, 1)
    assert run.used == Amounts(3, 3, 3)


def test_time_is_a_budget_too() -> None:
    now = [100.0]
    task = Budget(Allowance(seconds=5), "task", clock=lambda: now[0])
    spend(task, 1)
    now[0] = 105.0
    with pytest.raises(BudgetExhausted, match="5 s are over"):
        spend(task, 1)


def test_calls_of_an_earlier_session_count_once() -> None:
    run = Budget(Allowance(usd=1.0))
    task = run.inner("task", Allowance(usd=1.0))
    run.add(usage(0.6))
    task.add(usage(0.6))
    assert (run.spent_usd, task.spent_usd) == (0.6, 0.6)
    with pytest.raises(BudgetExhausted):
        spend(task, 0.5)


def test_near_the_limit_calls_wait_for_each_other() -> None:
    budget = Budget(Allowance(usd=1.0))
    sent, settled = threading.Event(), threading.Event()

    def first() -> None:
        with budget.reserved(usage(0.6)) as reservation:
            sent.set()
            settled.wait(10)
            reservation.settle(usage(0.1))

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        assert sent.wait(10)
        second = pool.submit(spend, budget, 0.6, 0.1)
        assert not second.done()
        settled.set()
        second.result(10)
    assert budget.used.usd == pytest.approx(0.2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), workers=st.integers(2, 8))
def test_parallel_calls_never_overshoot(seed: int, workers: int) -> None:
    chance = random.Random(seed)
    limit = chance.uniform(0.1, 2.0)
    run = Budget(Allowance(usd=limit))
    plans = [
        (worst := chance.uniform(0.01, 0.5), chance.choice([None, worst, worst * chance.random()]))
        for _ in range(40)
    ]
    real: list[float] = []

    def call(plan: tuple[float, float | None]) -> None:
        worst, actual = plan
        try:
            with run.reserved(usage(worst)) as reservation:
                real.append(worst if actual is None else actual)
                time.sleep(0.0001)
                if actual is not None:
                    reservation.settle(usage(actual))
        except BudgetExhausted:
            pass

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(call, plans))
    assert sum(real) <= limit + ROUNDING_USD
    assert run.spent_usd == pytest.approx(sum(real))
    # No call was refused that would have fitted in.
    assert limit - run.spent_usd < max(worst for worst, _ in plans)
