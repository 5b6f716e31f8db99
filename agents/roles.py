"""Models by role, and the allowances that they share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.agents.proposer import Scope
from kernelwright.config import Allowance, Settings
from kernelwright.prompts.context import Role


def models(settings: Settings) -> Mapping[Role, str]:
    """Return the model of each role."""
    return {
        "planner": settings.planner_model or settings.model,
        "coder": settings.model,
        "profiler": settings.profiler_model or settings.model,
    }


def run_allowance(settings: Settings) -> Allowance:
    """Return the allowance of all model calls of a run."""
    return Allowance(
        usd=settings.budget_usd, tokens=settings.budget_tokens, calls=settings.budget_calls
    )


def allowances(settings: Settings) -> Mapping[Scope, Allowance]:
    """Return the allowances of model calls, by scope."""
    return {
        "run": run_allowance(settings),
        "task": settings.task_budget,
        "attempt": settings.attempt_budget,
    }
