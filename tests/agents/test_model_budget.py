"""What may be spent, and what is known about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kernelwright.agents.model.budget import Budget
from kernelwright.agents.proposer import BudgetExhausted
from kernelwright.schema import Usage


def test_nothing_more_once_the_limit_is_reached() -> None:
    budget = Budget(0.5)
    budget.add(Usage(cost_usd=0.25))
    budget.check()
    budget.add(Usage(cost_usd=0.25))
    with pytest.raises(BudgetExhausted, match=r"budget used: \$0.5 of \$0.5"):
        budget.check()


def test_no_budget_is_no_call() -> None:
    with pytest.raises(BudgetExhausted):
        Budget(0.0).check()


def test_unknown_is_counted_and_not_free() -> None:
    budget = Budget(0.5)
    budget.add(Usage())
    budget.add(Usage(input_tokens=7, output_tokens=0, cost_usd=0.0))
    budget.check()
    assert (budget.spent_usd, budget.calls_with_unknown_cost) == (0.0, 1)


def test_many_threads_may_spend() -> None:
    budget = Budget(1e9)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(budget.add, Usage(cost_usd=0.5))
            pool.submit(budget.add, Usage())
    assert (budget.spent_usd, budget.calls_with_unknown_cost) == (200.0, 400)
