"""Every run with a model has a limit that holds, whether prices are known or not."""

from __future__ import annotations

from typing import Any

import pytest

from kernelwright.agents.model.estimate import estimate
from kernelwright.agents.roles import models, require_limit, run_allowance
from kernelwright.config import DEFAULT_TOKENS, DEFAULT_USD, Settings
from kernelwright.errors import UsageError
from tests.agents.model_kit import TASK

PRICED, OTHER = "openai/gpt-4o", "openai-api/local/small"
PRICE = {"input": 0.5, "output": 2}


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ({"model": PRICED}, {"usd": DEFAULT_USD}),
        ({"model": PRICED, "budget_usd": 2}, {"usd": 2}),
        ({"model": PRICED, "budget_tokens": 9}, {"usd": DEFAULT_USD, "tokens": 9}),
        ({"model": "replay:answers.jsonl"}, {"usd": DEFAULT_USD}),
        ({"model": OTHER}, {"tokens": DEFAULT_TOKENS}),
        ({"model": OTHER, "budget_calls": 7}, {"calls": 7}),
        ({"model": OTHER, "budget_tokens": 0}, {"tokens": 0}),
        ({"model": OTHER, "task_budget": "tokens=5"}, {}),
        ({"model": OTHER, "price": PRICE}, {"usd": DEFAULT_USD}),
        ({"model": OTHER, "price": {"input": 0, "output": 0}}, {"tokens": DEFAULT_TOKENS}),
        # Some calls can be counted in dollars.
        (
            {"model": PRICED, "planner_model": OTHER},
            {"usd": DEFAULT_USD, "tokens": DEFAULT_TOKENS},
        ),
        # A stored run of an earlier version has the default as if it had been given.
        ({"model": OTHER, "budget_usd": 5.0}, {"usd": 5.0, "tokens": DEFAULT_TOKENS}),
    ],
)
def test_a_run_has_a_limit_that_holds(settings: dict[str, Any], limits: dict[str, Any]) -> None:
    allowance = run_allowance(Settings.model_validate(settings))
    assert allowance.model_dump(exclude_none=True) == limits


def test_dollars_alone_are_refused_where_they_cannot_hold() -> None:
    with pytest.raises(UsageError, match=f"does not hold for {OTHER}: the price is") as refused:
        require_limit(Settings(model=PRICED, planner_model=OTHER, budget_usd=2))
    assert "price =" in str(refused.value.hint) and "budget_tokens" in str(refused.value.hint)
    for more in ({"budget_tokens": 9}, {"budget_calls": 9}, {"price": PRICE}, {"model": PRICED}):
        require_limit(Settings.model_validate({"model": OTHER, "budget_usd": 2, **more}))
    require_limit(Settings(model=OTHER))


@pytest.mark.parametrize("name", ["task_budget", "attempt_budget"])
def test_dollars_alone_are_refused_in_smaller_budgets_too(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} in dollars does not hold for {OTHER}"):
        require_limit(Settings.model_validate({"model": OTHER, name: "usd=1"}))
    require_limit(Settings.model_validate({"model": OTHER, name: "usd=1,calls=9"}))
    require_limit(Settings.model_validate({"model": PRICED, name: "usd=1"}))


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({}, 2 * 4 * 40),
        ({"attempt_budget": "calls=50"}, 2 * 4 * 50),
        ({"attempt_budget": "", "workflow": "fixed"}, 2 * 4 * (3 + 2) * 3 * 8),
        ({"attempt_budget": "", "workflow": "fixed", "repairs": 0}, 2 * 4 * 3 * 3 * 8),
        ({"attempt_budget": "", "workflow": "agent"}, 2 * 4 * (2 * 3 + 3 * 40) * 8),
        ({"task_budget": "calls=10"}, 2 * 10),
        ({"budget_calls": 3}, 3),
    ],
)
def test_most_calls_are_an_upper_bound(settings: dict[str, Any], most: int) -> None:
    """Check the bound: three roles and two repairs, three answers each, eight tries of a call.

    An episode has forty answers in the place of three.
    """
    found = Settings.model_validate({"model": PRICED, "attempts": 4, **settings})
    made = estimate(found, models(found), [TASK, TASK])
    assert (made.calls, made.most_calls) == (2 * 4 * 3, most)
    assert made.usd is not None and made.usd > 0


def test_a_search_that_the_budget_ends_is_estimated_by_the_attempt() -> None:
    settings = Settings.model_validate({"model": PRICED})
    made = estimate(settings, models(settings), [TASK])
    assert (made.calls, made.most_calls) == (3, None)
    limited = Settings.model_validate({"model": PRICED, "budget_calls": 40})
    assert estimate(limited, models(limited), [TASK]).most_calls == 40


def test_a_price_of_ones_own_is_estimated_with() -> None:
    settings = Settings.model_validate({"model": OTHER, "price": "input=1,output=2"})
    made = estimate(settings, models(settings), [TASK])
    assert made.usd is not None and made.usd > 0
    free = Settings.model_validate({"model": OTHER, "price": "input=0,output=0"})
    assert estimate(free, models(free), [TASK]).usd == 0.0
    assert estimate(Settings(model=OTHER), models(Settings(model=OTHER)), [TASK]).usd is None
