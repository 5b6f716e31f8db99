"""The judge's interface for the workflow, and a judge that keeps lasting verdicts."""

from __future__ import annotations

from typing import Protocol

from kernelwright.schema import Candidate, Evaluation, Level, Status
from kernelwright.store.store import Store
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.judge import Judge

LEVELS: tuple[Level, ...] = ("fast", "standard")
"""Levels that a search asks for."""
LASTING = (
    Status.COMPILE_ERROR,
    Status.INCORRECT_SHAPE,
    Status.INCORRECT_DTYPE,
    Status.INCORRECT_NUMERICAL,
)
"""Verdicts that stay true: times age, and a crash may not happen again."""


class Judging(Protocol):
    """A judge in its two steps. Both raise InfrastructureError."""

    def build(self, candidate: Candidate, level: Level) -> Build | Evaluation:
        """Return the candidate's build, or its verdict where that is clear already."""

    def evaluate(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """Return the verdict on a candidate that was built."""


class CachingJudge:
    """A judge that keeps lasting verdicts in the store, for later runs as well."""

    def __init__(self, judge: Judge, store: Store) -> None:
        self._judge = judge
        self._store = store

    def build(self, candidate: Candidate, level: Level) -> Build | Evaluation:
        """See `Judging.build`."""
        for one in LEVELS:  # wrong at one level is wrong at all
            key = self._judge.evaluation_key(candidate, one)
            if (known := self._store.cached_evaluation(key)) is not None:
                return known
        found = self._judge.build(candidate, level)
        if isinstance(found, Evaluation):
            self._keep(candidate, found)
        return found

    def evaluate(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """See `Judging.evaluate`."""
        found = self._judge.evaluate(candidate, level, build)
        self._keep(candidate, found)
        return found

    def _keep(self, candidate: Candidate, found: Evaluation) -> None:
        if found.status in LASTING:
            key = self._judge.evaluation_key(candidate, found.level)
            self._store.cache_evaluation(key, found)
