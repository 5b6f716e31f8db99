"""Opening the proposer that a run's settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from kernelwright.agents.lessons import lessons_known
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.offline.trace import Traced
from kernelwright.agents.proposer import Hear, Note, Proposer
from kernelwright.agents.roles import efforts, models, run_allowance, works_with_tools
from kernelwright.backends.registry import PLAIN
from kernelwright.config import OFFLINE, Settings
from kernelwright.schema import Task, Usage
from kernelwright.store.store import Store
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.speeds import known_speeds


def proposer_factory(
    settings: Settings, store: Store, run_id: str
) -> Callable[[Task, Reference, Traced, Note, Hear], Proposer]:
    """Return a function that makes a proposer for each task of a run.

    Model calls of the run so far, where it is continued, count against the budgets.

    Raises:
        UsageError, PrerequisiteError: a model is unknown, or its key is missing.
    """
    if settings.model == OFFLINE:

        def offline(
            task: Task, _reference: Reference, traced: Traced, note: Note, _hear: Hear
        ) -> Proposer:
            return OfflineProposer(task, traced, settings.seed, note)

        return offline
    # Not needed offline, and the providers' SDKs take seconds to import.
    from kernelwright.agents.model.budget import Budget
    from kernelwright.agents.model.caller import Asking, Caller
    from kernelwright.agents.model.context import Brief
    from kernelwright.agents.model.facts import gather
    from kernelwright.agents.model.ledger import Ledger
    from kernelwright.agents.model.proposer import ModelProposer
    from kernelwright.llm.base import LLM
    from kernelwright.llm.registry import open_model
    from kernelwright.llm.replay import Recorder

    opened: dict[str, LLM] = {name: open_model(name) for name in set(models(settings).values())}
    if settings.record is not None:
        opened = {name: Recorder(llm, settings.record) for name, llm in opened.items()}
    asking = Asking(
        settings.attempt_budget,
        settings.without_blocks,
        settings.price,
        settings.answer_tokens,
        efforts(settings),
    )
    by_role = {role: opened[name] for role, name in models(settings).items()}
    budget = Budget(run_allowance(settings))
    for usage in _used(store, run_id):
        budget.add(usage)

    def make(task: Task, reference: Reference, traced: Traced, note: Note, hear: Hear) -> Proposer:
        own = budget.inner("task", settings.task_budget)
        for usage in _used(store, run_id, task.id):
            own.add(usage)
        earlier = store.model_calls_of(run_id, task.id)
        lost = store.lost_usage(run_id, task.id)
        ledger = Ledger(store, run_id, task.id)
        caller = Caller(by_role, own, ledger, asking, earlier, lost, hear)
        facts = store.fix_facts(run_id, task.id, partial(gather, reference, traced))
        measured = known_speeds(reference, settings.cache_dir).words
        lessons = lessons_known(store, run_id, task, reference.machine)
        brief = Brief(
            machine=reference.machine._replace(measured=measured),
            seed=settings.seed,
            facts=facts,
            policy=settings.policy,
            lessons=() if "lessons" in settings.without_blocks else lessons,
            edits=settings.coder_answers == "edits",
            also=(PLAIN,) if settings.policy == "any" else (),
            one_evaluation=reference.one_evaluation,
            tunes=settings.tune > 0,
        )
        return ModelProposer(caller, brief, works_with_tools(settings), note)

    return make


def _used(store: Store, run_id: str, task_id: str | None = None) -> Iterator[Usage]:
    """Yield the usage of calls in earlier parts of a run, of all its tasks or of one."""
    yield from (one.usage for one in store.lost_usage(run_id, task_id))
    calls = store.model_calls_of(run_id, task_id)
    yield from (call.usage for call in calls if call.answer is not None)
