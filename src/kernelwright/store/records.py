"""Everything that is known of one task of one run: the one shape that reports and exports read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kernelwright.schema import (
    Attempt,
    Candidate,
    Evaluation,
    ModelCall,
    Run,
    Task,
    ToolStep,
    Usage,
)
from kernelwright.store.results import TaskResult


class Evaluated(NamedTuple):
    """A candidate with the verdict of its attempt and, if it was measured again, the strict one."""

    attempt: Attempt
    candidate: Candidate
    verdict: Evaluation
    strict: Evaluation | None

    @property
    def is_proven_win(self) -> bool:
        """Whether its strict verdict finds it faster than eager, and nothing suspicious.

        Its uses were tried, and none is silently wrong or crashes: that would be suspicious. What
        the search measured on the way there has been superseded, flags and all.
        """
        final = self.strict
        if final is None or not final.is_win or not final.has_tried_uses:
            return False
        return all(flag.severity == "info" for flag in final.flags)


class TaskRecord(NamedTuple):
    """One task of one run."""

    run: Run
    task: Task
    result: TaskResult | None
    """None while the task has no answer."""
    attempts: Sequence[Attempt]
    """In order."""
    calls: Sequence[ModelCall]
    """Calls of models, in order."""
    tool_steps: Mapping[int, Sequence[ToolStep]] = MappingProxyType({})
    """Steps of tools, in order, by index of the attempt."""

    @property
    def usage(self) -> Usage:
        """Usage of all model calls, those included that led to no attempt."""
        return sum((call.usage for call in self.calls), Usage.zero())

    @property
    def best(self) -> Candidate | None:
        """The answer's file, as it is delivered; None when there is none."""
        wanted = self.result.candidate_hash if self.result else None
        if self.result and self.result.delivered:
            return self.result.delivered
        made = (attempt.candidate for attempt in self.attempts)
        return next((one for one in made if one and one.hash == wanted), None)

    def evaluated(self) -> list[Evaluated]:
        """Return the attempts that have a verdict, each candidate once."""
        found: dict[str, Evaluated] = {}
        for attempt in self.attempts:
            if attempt.candidate is not None and attempt.evaluation is not None:
                made, verdict = attempt.candidate, attempt.evaluation
                known = Evaluated(attempt, made, verdict, self.strict_of(attempt))
                found.setdefault(made.hash, known)
        return list(found.values())

    def strict_of(self, attempt: Attempt) -> Evaluation | None:
        """Return the strict verdict on the attempt's candidate, its re-measurement first."""
        if attempt.candidate is None:
            return None
        result, own = self.result, attempt.evaluation
        if result and result.evaluation and result.candidate_hash == attempt.candidate.hash:
            return result.evaluation  # of the same code, behind its guard
        return own if own is not None and own.level == "strict" else None
