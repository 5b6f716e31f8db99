"""The probable cost of a search, told before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kernelwright.agents.model.budget import Budget
from kernelwright.agents.model.limits import EPISODE_CALLS, MORE_TRIES, answer_limit
from kernelwright.agents.proposer import BudgetExhausted, Scope
from kernelwright.agents.roles import works_with_tools
from kernelwright.config import Allowance, Settings, TokenPrice
from kernelwright.errors import UsageError
from kernelwright.kernels.runtime import LATEST, shortened
from kernelwright.llm.base import Request
from kernelwright.llm.prices import cost_usd, most_usage
from kernelwright.llm.retry import RetryPolicy
from kernelwright.prompts.context import Role
from kernelwright.prompts.exemplar import exemplar
from kernelwright.prompts.render import instructions
from kernelwright.schema import Message, Task

BYTES_PER_TOKEN = 3.5
"""Rough value for code and English; a reservation counts every byte as a token instead."""
ANSWER_TOKENS: dict[Role, int] = {"planner": 1_500, "coder": 4_000, "profiler": 800}
"""Assumed, for models that think little; others answer with several times as many."""
FINDINGS_BYTES = 5_000
"""Assumed, for device, measurements, the traced graph and what was tried."""


class Estimate(NamedTuple):
    """The expected calls and cost of the whole run."""

    calls: int
    """One call of each role per attempt; for one attempt where the budget limits their number."""
    most_calls: int | None
    """Upper bound for the whole run: files that are not built are repaired, answers that can't be
    used and lost tries are asked for again. None where neither attempts nor calls are limited."""
    usd: float | None
    """Dollars for the expected calls; None where the price of a model is not known."""


def estimate(settings: Settings, models: Mapping[Role, str], tasks: Sequence[Task]) -> Estimate:
    """Estimate one call of each role per attempt, every answer usable at once.

    Repairs cost no plan, unusable answers cost more, and a plateau ends the search sooner.
    """
    costs = [
        _call_usd(role, model, task, settings) for task in tasks for role, model in models.items()
    ]
    known = [cost for cost in costs if cost is not None]
    attempts = settings.search_settings.attempts or 1
    total = sum(known) * attempts if len(known) == len(costs) else None
    return Estimate(len(costs) * attempts, _most_calls(settings, models, tasks), total)


def _most_calls(
    settings: Settings, models: Mapping[Role, str], tasks: Sequence[Task]
) -> int | None:
    search = settings.search_settings
    tries = 1 + MORE_TRIES
    files = EPISODE_CALLS if works_with_tools(settings) else tries
    answers = (len(models) - 1) * tries + (1 + search.repairs) * files
    attempt = _least(settings.attempt_budget.calls, answers * RetryPolicy().tries)
    task = _least(settings.task_budget.calls, _times(search.attempts, attempt))
    return _least(settings.budget_calls, _times(len(tasks), task))


def _least(limit: int | None, value: int | None) -> int | None:
    return min((one for one in (limit, value) if one is not None), default=None)


def _times(count: int | None, value: int | None) -> int | None:
    return None if count is None or value is None else count * value


def require_room(
    allowances: Mapping[Scope, Allowance],
    model: str,
    tasks: Iterable[Task],
    price: TokenPrice | None = None,
    answer_tokens: int | None = None,
) -> None:
    """Check that budgets have room for a first call, before anything else is done.

    Args:
        model: the planner's, which is asked first.
        price: the user's, for a model that the price table lacks.
        answer_tokens: the user's limit on one answer.

    Raises:
        UsageError: a budget is too small for every task, however short the prompt will be.
    """
    shortest = min((task.source for task in tasks), key=len, default="")
    shown = (Message(role="user", content=shortest),)
    limit = answer_limit("planner", model, answer_tokens)
    least = most_usage(model, Request(messages=shown, max_tokens=limit.tokens), price)
    for scope, allowance in allowances.items():
        try:
            with Budget(allowance, scope).reserved(least):
                pass
        except BudgetExhausted as error:
            raise UsageError(f"no call fits: {error.message}", error.hint) from error


def _call_usd(role: Role, model: str, task: Task, settings: Settings) -> float | None:
    backend = settings.backends[0]
    example = shortened(exemplar(task.category, backend)) if role == "coder" else ""
    runtime = LATEST.get(backend) if role == "coder" else None
    told = len(runtime.api) + len(runtime.outline) if runtime else 0
    # The reference, and a candidate that is about as long as an example.
    shown = len(task.source) + max(len(task.source), len(example)) + len(example) + told
    prompt = instructions(role) + shown + FINDINGS_BYTES
    asked, said = round(prompt / BYTES_PER_TOKEN), ANSWER_TOKENS[role]
    return cost_usd(model, asked, said, own=settings.price)
