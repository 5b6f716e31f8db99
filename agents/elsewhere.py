"""A task's answer, once its file ran in ordinary interpreters: one that is wrong there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection

from kernelwright.errors import InfrastructureError
from kernelwright.reproduce.ordinary import run_ordinarily
from kernelwright.schema import Candidate, Evaluation, OrdinaryRun
from kernelwright.store.results import TaskResult
from kernelwright.verifier.judge import Judge


def tried_elsewhere(
    answer_without: Callable[[Collection[str]], TaskResult],
    run: Callable[[TaskResult], OrdinaryRun],
) -> TaskResult:
    """Return the answer with its run in ordinary interpreters, or that of the next best file.

    Args:
        answer_without: the answer by all final measurements but those of candidates with the
            given hashes.
        run: runs the file of an improved task.
    """
    wrong: dict[str, TaskResult] = {}
    while (found := answer_without(wrong.keys())).status == "improved":
        assert found.evaluation is not None
        tried = found.model_copy(update={"ordinary": run(found)})
        if not tried.is_wrong_elsewhere:
            return tried
        lost = tried.model_copy(update={"status": "no_improvement"})
        wrong[found.evaluation.candidate_hash] = lost
    return next(iter(wrong.values()), found)


def ordinary_run(judge: Judge, candidate: Candidate) -> OrdinaryRun:
    """Return what ordinary interpreters say, or why they could not; the proof stands without."""
    reference = judge.reference
    try:
        build = judge.build(candidate, "strict")
        if isinstance(build, Evaluation):
            return OrdinaryRun(right=None, problem=build.reason)
        return run_ordinarily(reference.machine, reference.task, candidate, build.folder)
    except InfrastructureError as error:
        return OrdinaryRun(right=None, problem=error.message)
