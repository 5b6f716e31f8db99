"""The proof of a search's best attempts: the strict verdict on each as it would be delivered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kernelwright.agents.deliver import Measured, deliver
from kernelwright.agents.elsewhere import ordinary_run, tried_elsewhere
from kernelwright.agents.engine import Engine
from kernelwright.agents.search.ranking import best_attempt, ranked, speedup_of
from kernelwright.agents.search.stopping import unanswered
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.errors import InfrastructureError
from kernelwright.schema import Attempt, Evaluation, OrdinaryRun, Task
from kernelwright.store.results import TaskResult, TaskStatus
from kernelwright.verifier.judge import Judge

FINALISTS = 3


def prove(engine: Engine, task: Task, judge: Judge, history: list[Attempt]) -> TaskResult:
    """Measure finalists again, in fresh workers: all that may be fastest, others until one wins.

    Each is judged as it would be delivered: behind the guard of its scope. One that was seen to be
    slower is not, and one that may be no faster is measured at `standard` before, because a scope
    takes long to find.
    """
    measured: list[Measured] = []
    fastest_first = ranked(history)
    losers = [attempt for attempt in fastest_first if _is_slower(attempt)]
    order = _one_of_torch_compile([a for a in fastest_first if a not in losers])
    for attempt in order[:FINALISTS]:
        if not all(may_be_faster(attempt, one) for one in measured if one.evaluation.is_win):
            continue
        engine.checkpoint()
        engine.progress.phase(task, "prove", attempt.plan)
        try:
            found = _proof(judge, attempt)
        except NotDeliverableError as error:
            words = f"attempt {attempt.number} can't be delivered: {error}"
            engine.store.add_event(engine.run_id, f"{task.id}: {words}")
            engine.progress.phase(task, "prove", words)
            continue
        except InfrastructureError as error:
            return TaskResult(task_id=task.id, status="error", error=str(error))
        if isinstance(found, Evaluation):
            losers.append(attempt.model_copy(update={"evaluation": found}))
            continue
        engine.progress.final(task, found.evaluation)
        measured.append(found)
        if found.evaluation.was_disturbed:
            break  # the others would be no better off

    def without(wrong: Collection[str]) -> TaskResult:
        left = [one for one in measured if one.evaluation.candidate_hash not in wrong]
        return answer(task, left, history, losers)

    def run(result: TaskResult) -> OrdinaryRun:
        engine.checkpoint()
        engine.progress.phase(task, "ordinary", "")
        assert result.delivered is not None
        return ordinary_run(judge, result.delivered)

    return tried_elsewhere(without, run)


def _one_of_torch_compile(order: Sequence[Attempt]) -> list[Attempt]:
    """Return attempts without any but the first torch.compile configuration.

    They differ by percents, and each takes minutes to prove: every new process compiles.
    """
    compiled = [a for a in order if a.candidate is not None and a.candidate.backend == "inductor"]
    return [attempt for attempt in order if attempt not in compiled[1:]]


def _proof(judge: Judge, attempt: Attempt) -> Measured | Evaluation:
    """Return the strict verdict on an attempt's delivery, or a shorter one: it is no faster.

    Raises:
        NotDeliverableError: no guard can stand in front of it.
        InfrastructureError: nothing is known.
    """
    assert attempt.candidate is not None
    if not _is_faster(attempt):
        first = judge.evaluate(attempt.candidate, "standard")
        if not first.is_win and not first.was_disturbed:
            return first
    judge.compile_ahead(attempt.candidate, "strict")
    delivery = deliver(judge, attempt.candidate)
    evaluation = judge.evaluate(delivery.candidate, "strict", made_from=attempt.candidate)
    scope = tuple(delivery.scope.words())
    return Measured(delivery, evaluation.model_copy(update={"scope": scope}))


def answer(
    task: Task,
    measured: Sequence[Measured],
    history: Sequence[Attempt],
    losers: Sequence[Attempt] = (),
) -> TaskResult:
    """Return a task's result, by the final measurements of its best attempts.

    Args:
        losers: attempts that were not measured to the end, because they are no faster.
    """
    wins = [one for one in measured if one.evaluation.is_win]
    if wins:
        fastest = max(wins, key=lambda one: speedup_of(one.evaluation) or 0.0)
        return _result(task, "improved", fastest)
    asked = [attempt for attempt in history if not attempt.move.is_free] or history
    errors = [attempt.error for attempt in history if attempt.error is not None]
    is_lost = all(attempt.error is not None for attempt in asked)
    accepted = measured or losers
    if errors and (is_lost or (not accepted and unanswered(history))):
        return TaskResult(task_id=task.id, status="error", error=errors[-1])
    undecided = [one for one in measured if one.evaluation.is_undecided]
    if undecided:
        return _result(task, "not_decided", undecided[0])
    best = best_attempt(losers)
    if best is not None and best.candidate is not None and not measured:
        return TaskResult(
            task_id=task.id,
            status="no_improvement",
            candidate_hash=best.candidate.hash,
            evaluation=best.evaluation,
        )
    return _result(task, "no_improvement", measured[0] if measured else None)


def _is_slower(attempt: Attempt) -> bool:
    """Whether the search saw, undisturbed, that an attempt's whole interval lies below 1."""
    found = attempt.evaluation
    assert found is not None and found.gain is not None
    return found.gain.speedup.ci95[1] < 1.0 and not found.was_disturbed


def _is_faster(attempt: Attempt) -> bool:
    """Whether the search saw that an attempt's whole interval lies above 1."""
    assert attempt.evaluation is not None and attempt.evaluation.gain is not None
    return attempt.evaluation.gain.speedup.is_faster


def may_be_faster(attempt: Attempt, proven: Measured) -> bool:
    """Whether an attempt's interval reaches beyond a proven speedup.

    Both are over eager, since one of the two may lack a ratio to torch.compile.
    """
    assert attempt.evaluation is not None
    own, other = attempt.evaluation.speedup["eager"], proven.evaluation.speedup["eager"]
    return own.ci95[1] >= other.median


def _result(task: Task, status: TaskStatus, measured: Measured | None) -> TaskResult:
    if measured is None:
        return TaskResult(task_id=task.id, status=status)
    delivery, evaluation = measured
    return TaskResult(
        task_id=task.id,
        status=status,
        candidate_hash=delivery.original.hash,
        evaluation=evaluation,
        delivered=delivery.candidate,
        scope=delivery.scope,
    )
