"""Optimizing one task: search with the workflow, then prove the best candidate (`strict`)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.agents.attempt import AttemptDeps, Phase
from kernelwright.agents.cached_judge import CachingJudge
from kernelwright.agents.checkpoints import Saver, checkpoints
from kernelwright.agents.deliver import Measured, deliver
from kernelwright.agents.elsewhere import ordinary_run, tried_elsewhere
from kernelwright.agents.lessons import learn
from kernelwright.agents.proposer import Proposer
from kernelwright.agents.search.ranking import ranked
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.agents.workflow import SearchSettings, Workflow, go_on
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.errors import InfrastructureError, UsageError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Evaluation, OrdinaryRun, Policy, Task, UsesRule
from kernelwright.store.results import TaskResult, TaskStatus
from kernelwright.store.store import Store
from kernelwright.verifier.audit.audit import require_sound
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.seeds import SEED_BITS

FINALISTS = 3


class Progress(Protocol):
    """An observer of a run, told what happens."""

    def phase(self, task: Task, phase: Phase | str, text: str) -> None:
        """Report that a step starts."""

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """Report that an attempt was stored."""

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """Report that a finalist was measured again."""


class Engine(NamedTuple):
    """Everything that the tasks of a run share."""

    run_id: str
    store: Store
    machine: Machine
    cache: Path
    """Folder of the build cache."""
    policy: Policy
    uses: UsesRule
    strategy: SearchStrategy
    backends: tuple[str, ...]
    seed: int
    attempts: int
    patience: int
    proposals: int
    halving: int
    time_limit_s: float
    """Seconds for the search of one task; the final measurement comes on top."""
    make_proposer: Callable[[Task, Reference], Proposer]
    progress: Progress
    checkpoint: Callable[[], None] = go_on
    """Called before anything new is started; raises KeyboardInterrupt where that is not wanted."""


def optimize_task(engine: Engine, task: Task) -> TaskResult:
    """Find and prove the best candidate; store the result and return it.

    The task continues where the store says that an earlier, interrupted run of the same id ended.

    Raises:
        UsageError: the task has no workload for this device, or its reference is unusable.
        InfrastructureError: the reference could not be run.
    """
    history = engine.store.attempts_of(engine.run_id, task.id)
    engine.checkpoint()
    engine.progress.phase(task, "reference", "")
    with secret_reference(task, engine.machine) as reference:
        check_reference(reference)
        for finding in require_sound(reference):
            words = f"{finding.rule}: {finding.evidence}"
            engine.store.add_event(engine.run_id, f"{task.id}: audit: {words}")
        judge = Judge(reference, engine.cache, engine.policy, engine.uses)
        with checkpoints(engine.store) as saver:
            reason = _workflow(engine, task, reference, judge, history, saver).run()
        engine.store.add_event(engine.run_id, f"{task.id}: search ended: {reason}")
        engine.progress.phase(task, "ended", reason)
    # The proof has inputs that nothing in the search was measured on.
    with secret_reference(task, engine.machine) as reference:
        judge = Judge(reference, engine.cache, engine.policy, engine.uses)
        result = _prove(engine, task, judge, history)
    learn(engine.store, engine.run_id, task, history, result, engine.machine.kind)
    engine.store.add_task_result(engine.run_id, result)
    return result


def secret_reference(task: Task, machine: Machine) -> Reference:
    """Return a reference with inputs from a seed that is known to this process alone."""
    return Reference(task, machine, secrets.randbits(SEED_BITS))


def check_reference(reference: Reference) -> None:
    """Run every workload of the reference once.

    Raises:
        UsageError: the task has no timed workload for the device.
    """
    workloads = reference.workloads()
    if not any(w.role == "bench" for w in workloads):
        raise UsageError(
            f"task {reference.task.id!r} has no timed workload for {reference.machine.device!r}",
            hint="see `kernelwright tasks show`",
        )
    for workload in workloads:
        reference.prepare(workload)


def _workflow(
    engine: Engine,
    task: Task,
    reference: Reference,
    judge: Judge,
    history: list[Attempt],
    saver: Saver,
) -> Workflow:
    def record(attempt: Attempt) -> None:
        engine.store.add_attempt(attempt)
        engine.progress.attempt(task, attempt)

    deps = AttemptDeps(
        run_id=engine.run_id,
        task=task,
        backends=engine.backends,
        proposer=engine.make_proposer(task, reference),
        judge=CachingJudge(judge, engine.store),
        halving=engine.halving,
        record=record,
        on_phase=lambda phase, text: engine.progress.phase(task, phase, text),
    )
    settings = SearchSettings(
        strategy=engine.strategy,
        seed=engine.seed,
        attempts=engine.attempts,
        deadline=time.monotonic() + engine.time_limit_s,
        patience=engine.patience,
        proposals=engine.proposals,
    )
    return Workflow(deps, settings, history, saver, engine.checkpoint)


def _prove(engine: Engine, task: Task, judge: Judge, history: list[Attempt]) -> TaskResult:
    """Measure finalists again, in fresh workers: all that may be fastest, others until one wins.

    Each is judged as it would be delivered: behind the guard of its scope.
    """
    measured: list[Measured] = []
    order = ranked(history)[:FINALISTS]
    for attempt in order:
        won = any(one.evaluation.is_win for one in measured)
        if won and not _may_be_faster(attempt, order[0]):
            break
        engine.checkpoint()
        engine.progress.phase(task, "prove", attempt.plan)
        try:
            delivery = deliver(judge, attempt)
            evaluation = judge.evaluate(delivery.candidate, "strict")
        except NotDeliverableError as error:
            words = f"attempt {attempt.number} can't be delivered: {error}"
            engine.store.add_event(engine.run_id, f"{task.id}: {words}")
            engine.progress.phase(task, "ended", words)
            continue
        except InfrastructureError as error:
            return TaskResult(task_id=task.id, status="error", error=str(error))
        engine.progress.final(task, evaluation)
        measured.append(Measured(delivery, evaluation))
        if evaluation.was_disturbed:
            break  # the others would be no better off

    def without(wrong: Collection[str]) -> TaskResult:
        left = [one for one in measured if one.evaluation.candidate_hash not in wrong]
        return answer(task, left, history)

    def run(result: TaskResult) -> OrdinaryRun:
        engine.checkpoint()
        engine.progress.phase(task, "ordinary", "")
        assert result.delivered is not None
        return ordinary_run(judge, result.delivered)

    return tried_elsewhere(without, run)


def answer(task: Task, measured: Sequence[Measured], history: Sequence[Attempt]) -> TaskResult:
    """Return a task's result, by the final measurements of its best attempts."""
    wins = [one for one in measured if one.evaluation.is_win]
    if wins:
        fastest = max(wins, key=lambda one: one.evaluation.speedup["eager"].median)
        return _result(task, "improved", fastest)
    errors = [attempt.error for attempt in history if attempt.error is not None]
    if errors and len(errors) == len(history):
        return TaskResult(task_id=task.id, status="error", error=errors[-1])
    undecided = [one for one in measured if one.evaluation.is_undecided]
    if undecided:
        return _result(task, "not_decided", undecided[0])
    return _result(task, "no_improvement", measured[0] if measured else None)


def _may_be_faster(attempt: Attempt, best: Attempt) -> bool:
    """Whether the search could not tell this attempt from the best one: their intervals overlap."""
    assert attempt.evaluation is not None and best.evaluation is not None
    own, top = attempt.evaluation.speedup["eager"], best.evaluation.speedup["eager"]
    return own.ci95[1] >= top.ci95[0]


def _result(task: Task, status: TaskStatus, measured: Measured | None) -> TaskResult:
    if measured is None:
        return TaskResult(task_id=task.id, status=status)
    delivery, evaluation = measured
    assert delivery.attempt.candidate is not None
    return TaskResult(
        task_id=task.id,
        status=status,
        candidate_hash=delivery.attempt.candidate.hash,
        evaluation=evaluation,
        delivered=delivery.candidate,
        scope=delivery.scope,
    )
