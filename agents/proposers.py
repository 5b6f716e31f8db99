"""Opening the proposer that a run's settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kernelwright.agents.lessons import lessons_shown
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.offline.trace import trace
from kernelwright.agents.proposer import Proposer
from kernelwright.agents.roles import models, run_allowance
from kernelwright.config import OFFLINE, Settings
from kernelwright.schema import ModelCall, Task, Usage
from kernelwright.store.store import Store
from kernelwright.verifier.reference import Reference


def proposer_factory(
    settings: Settings, store: Store, run_id: str
) -> Callable[[Task, Reference], Proposer]:
    """How to make a proposer for each task of a run.

    Model calls of the run so far, where it is continued, count against the budgets.

    Raises:
        UsageError, PrerequisiteError: a model is unknown, or its key is missing.
    """
    if settings.model == OFFLINE:
        return lambda task, reference: OfflineProposer(
            task, lambda: trace(reference), settings.seed
        )
    # Not needed offline, and the providers' SDKs take seconds to import.
    from kernelwright.agents.model.budget import Budget
    from kernelwright.agents.model.calls import Caller
    from kernelwright.agents.model.ledger import Ledger
    from kernelwright.agents.model.proposer import ModelProposer
    from kernelwright.llm.base import LLM
    from kernelwright.llm.registry import open_model
    from kernelwright.llm.replay import Recorder

    opened: dict[str, LLM] = {name: open_model(name) for name in set(models(settings).values())}
    if settings.record is not None:
        opened = {name: Recorder(llm, settings.record) for name, llm in opened.items()}
    by_role = {role: opened[name] for role, name in models(settings).items()}
    budget = Budget(run_allowance(settings))
    for usage in [*store.lost_usage(run_id), *answered(store.model_calls_of(run_id))]:
        budget.add(usage)

    def make(task: Task, reference: Reference) -> Proposer:
        own = budget.inner("task", settings.task_budget)
        earlier = store.model_calls_of(run_id, task.id)
        for usage in answered(earlier):
            own.add(usage)
        ledger = Ledger(store, run_id, task.id)
        each, without = settings.attempt_budget, settings.without_blocks
        caller = Caller(by_role, own, each, ledger, earlier, without)
        shown = lessons_shown(store, run_id, task, reference.machine.kind)
        edits = settings.coder_answers == "edits"
        return ModelProposer(caller, reference.machine, settings.seed, shown, edits)

    return make


def answered(calls: Iterable[ModelCall]) -> Iterator[Usage]:
    """What answers used; calls without one are among the store's `lost_usage`."""
    return (call.usage for call in calls if call.answer is not None)
