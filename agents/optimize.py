"""Optimizing one task: search with the workflow, then prove the best candidate (`strict`)."""

from __future__ import annotations

from functools import cache, partial

from kernelwright.agents.cached_judge import CachingJudge
from kernelwright.agents.checkpoints import checkpoints
from kernelwright.agents.engine import Engine, Progress
from kernelwright.agents.known import from_known
from kernelwright.agents.lessons import learn
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.offline.trace import trace
from kernelwright.agents.prove import prove
from kernelwright.agents.search.strategy import open_strategy
from kernelwright.agents.search_context import SearchContext, Told
from kernelwright.agents.workflow import run_search
from kernelwright.config import OFFLINE
from kernelwright.prompts.describe import allowed
from kernelwright.schema import Attempt, Task
from kernelwright.store.results import TaskResult
from kernelwright.verifier.audit.audit import require_sound
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference


def optimize_task(engine: Engine, task: Task) -> TaskResult:
    """Find and prove the best candidate; store the result and return it.

    The task continues where the store says that an earlier, interrupted run of the same id ended.
    Where the machine was too busy to decide, its best attempts are proven again.

    Raises:
        UsageError: the task has no workload for this device, or its reference is unusable.
        InfrastructureError: the reference could not be run.
    """
    history = engine.store.attempts_of(engine.run_id, task.id)
    results = engine.store.task_results_of(engine.run_id)
    lacks_proof = any(one.is_undecided for one in results if one.task_id == task.id)
    engine.checkpoint()
    engine.progress.phase(task, "reference", "")
    with Reference.open(task, engine.machine) as reference:
        reference.check()
        words = f"memory: {reference.memory_words}"
        engine.store.add_event(engine.run_id, f"{task.id}: {words}")
        engine.progress.phase(task, "reference", words)
        for finding in require_sound(reference):
            words = f"{finding.rule}: {finding.evidence}"
            engine.store.add_event(engine.run_id, f"{task.id}: audit: {words}")
        judge = Judge(reference, engine.cache, engine.criteria)
        reason = "only its proof is lacking"
        if not lacks_proof:
            context = _context(engine, task, reference, judge, history)
            with checkpoints(engine.store) as saver:
                reason = run_search(context, saver, partial(_tell, engine.progress, task))
        engine.store.add_event(engine.run_id, f"{task.id}: search ended: {reason}")
        engine.progress.phase(task, "ended", reason)
    # The proof has inputs that nothing in the search was measured on.
    with Reference.open(task, engine.machine) as reference:
        delivers = engine.criteria.model_copy(update={"uses": "refuse", "delivers": True})

        def tell(step: str) -> None:
            engine.progress.phase(task, "step", step)

        judge = Judge(reference, engine.cache, delivers, on_step=tell)
        result = prove(engine, task, judge, history)
    learn(engine.store, engine.run_id, task, history, result, engine.machine)
    engine.store.add_task_result(engine.run_id, result)
    return result


def _tell(progress: Progress, task: Task, told: Told) -> None:
    if isinstance(told, Attempt):
        progress.attempt(task, told)
    else:
        progress.phase(task, told.phase, told.text)


def _context(
    engine: Engine, task: Task, reference: Reference, judge: Judge, history: list[Attempt]
) -> SearchContext:
    def note(words: str) -> None:
        engine.store.add_event(engine.run_id, f"{task.id}: {words}")
        engine.progress.phase(task, "plan", words)

    def hints(index: int) -> list[str]:
        given = engine.store.take_hints(engine.run_id, task.id, index)
        for text in given:
            note(f"attempt {index + 1} is shown the hint: {text}")
        return given

    search = engine.search
    traced = cache(lambda: trace(reference, note))  # it takes seconds, and two ask
    heard = partial(engine.progress.heard, task)
    proposer = engine.make_proposer(task, reference, traced, note, heard)
    strategy = open_strategy(search.strategy)
    if search.seeds or search.tune:
        offline = OfflineProposer(task, traced, search.seed, note)
        own = allowed(engine.backends, engine.criteria.policy)
        proposer, strategy = from_known(proposer, strategy, offline, own, search, history)
    # A tuner goes on from no attempt, and the proof measures the best of a few at length anyway.
    is_short = search.attempts is not None and search.attempts < 2 * search.halving
    if proposer.name == OFFLINE or is_short:
        search = search.model_copy(update={"halving": 0})
    return SearchContext(
        run_id=engine.run_id,
        task=task,
        backends=engine.backends,
        proposer=proposer,
        judge=CachingJudge(judge, engine.store),
        settings=search,
        strategy=strategy,
        store_attempt=engine.store.add_attempt,
        history=history,
        may_go_on=engine.checkpoint,
        hints=hints,
        one_evaluation=reference.one_evaluation,
    )
