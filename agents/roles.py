"""Models by role, and the allowances that they share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.agents.proposer import Scope
from kernelwright.config import DEFAULT_TOKENS, DEFAULT_USD, Allowance, EffortName, Settings
from kernelwright.errors import UsageError
from kernelwright.llm.capabilities import capabilities
from kernelwright.llm.prices import cost_usd, is_priced
from kernelwright.prompts.context import Role


def models(settings: Settings) -> Mapping[Role, str]:
    """Return the model of each role."""
    return {
        "planner": settings.planner_model or settings.model,
        "coder": settings.model,
        "profiler": settings.profiler_model or settings.model,
    }


def efforts(settings: Settings) -> Mapping[Role, EffortName | None]:
    """Return the effort that each role is asked for; None leaves it to the provider."""
    return {
        "planner": settings.planner_effort,
        "coder": settings.coder_effort,
        "profiler": settings.profiler_effort,
    }


def without_price(settings: Settings) -> list[str]:
    """Return the models of a run for whose calls dollars can't be counted."""
    names = sorted(set(models(settings).values()))
    return [name for name in names if not is_priced(name, settings.price)]


def run_allowance(settings: Settings) -> Allowance:
    """Return the allowance of all model calls of a run, which always has a limit that holds.

    Dollars alone hold only where every model has a known price above zero.
    """
    names = set(models(settings).values())
    uncounted = {*without_price(settings), *(name for name in names if _is_free(name, settings))}
    tokens, usd = settings.budget_tokens, settings.budget_usd
    if uncounted and not _limits_without_price(settings):
        tokens = DEFAULT_TOKENS
    if usd is None and names - uncounted:
        usd = DEFAULT_USD
    return Allowance(usd=usd, tokens=tokens, calls=settings.budget_calls)


def require_limit(settings: Settings) -> None:
    """Raise UsageError where a limit is in dollars alone, and a price is not known."""
    unknown = without_price(settings)
    if unknown and settings.budget_usd and not _limits_without_price(settings):
        raise UsageError(
            f"a limit in dollars does not hold for {', '.join(unknown)}: the price is not known",
            hint='set budget_tokens or budget_calls, or `price = "input=1.5,output=6"` (dollars '
            "per million tokens), in kernelwright.toml or as KERNELWRIGHT_BUDGET_TOKENS, ...",
        )
    smaller = {"task_budget": settings.task_budget, "attempt_budget": settings.attempt_budget}
    for name, limit in smaller.items():
        if unknown and limit.usd is not None and not _holds_without_price(limit):
            raise UsageError(
                f"{name} in dollars does not hold for {', '.join(unknown)}: the price is not known",
                hint=f'give it tokens or calls too: `{name} = "usd={limit.usd:g},calls=40"`',
            )


def _is_free(name: str, settings: Settings) -> bool:
    return cost_usd(name, 1_000_000, 1_000_000, own=settings.price) == 0


def _limits_without_price(settings: Settings) -> bool:
    """Whether the user has limited tokens or calls of the run, or of each of its tasks."""
    run = Allowance(tokens=settings.budget_tokens, calls=settings.budget_calls)
    return _holds_without_price(run) or _holds_without_price(settings.task_budget)


def _holds_without_price(allowance: Allowance) -> bool:
    return allowance.tokens is not None or allowance.calls is not None


def works_with_tools(settings: Settings) -> bool:
    """Return whether the coder is to work with tools."""
    if settings.workflow != "auto":
        return settings.workflow == "agent"
    known = capabilities(models(settings)["coder"])
    return known is not None and known.tools


def allowances(settings: Settings) -> Mapping[Scope, Allowance]:
    """Return the allowances of model calls, by scope."""
    return {
        "run": run_allowance(settings),
        "task": settings.task_budget,
        "attempt": settings.attempt_budget,
    }
