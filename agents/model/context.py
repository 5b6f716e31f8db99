"""Prompt contexts made from the workflow's view: stateless, rebuilt for every step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from kernelwright.agents.model.history import diagnosis, tried, untested, worked
from kernelwright.agents.model.words import shown_reason
from kernelwright.agents.proposer import View
from kernelwright.agents.search.ranking import eager_speedup, ranked
from kernelwright.kernels.runtime import shortened
from kernelwright.prompts.context import Context, ShownCode
from kernelwright.prompts.describe import abilities, accuracy, allowed, precision, sizes, timing
from kernelwright.prompts.device import device_card
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import (
    Attempt,
    Evaluation,
    Facts,
    Lesson,
    Policy,
    Speedup,
    Task,
    Timing,
)

MOST_FACTS = 24
NAMES = {"compile": "torch.compile"}
"""Names of timed sides, where they are not their own."""
RESTATED = " us per call on workload "
"""In a fact that repeats the time above it."""


class Brief(NamedTuple):
    """The part that all prompts of one task of a run share."""

    machine: Machine
    seed: int = 0
    """Draws the planner's hints."""
    facts: Facts = Facts()
    policy: Policy = "any"
    lessons: Sequence[Lesson] = ()
    """Lessons of earlier searches, the best first: what the planner may be shown and the coder may
    look up."""
    edits: bool = True
    """Ask for changes to code that there is; after one that does not fit, for the file."""
    also: Sequence[str] = ()
    """Backends of files that are taken as well, though none is asked for."""
    one_evaluation: AbstractContextManager[object] = nullcontext()
    """Held while a tool builds, compares or times, as the search's judge holds it."""
    tunes: bool = False
    """Numbers that files declare are tuned."""

    def backends(self, view: View) -> tuple[str, ...]:
        """Return the backends that may be asked for."""
        return allowed(view.backends, self.policy)


def common_context(view: View, brief: Brief) -> Context:
    """Return what every role is shown: the task, the machine, and what was measured of both."""
    machine, facts, backends = brief.machine, brief.facts, brief.backends(view)
    return Context(
        kind=view.task.kind,
        reference=view.task.source,
        sizes=sizes(view.task, machine.device),
        accuracy=accuracy(view.task.tolerance, facts.dtypes),
        precision=precision(facts.dtypes),
        policy=brief.policy,
        tunes=brief.tunes,
        timing=timing(machine.device, machine.threads),
        device=(*device_card(machine), *facts.versions),
        facts=(*facts.times, *_compiled(view), *facts.roof),
        graph=facts.graph,
        backends=backends,
        abilities=abilities(backends),
    )


def _compiled(view: View) -> Iterator[str]:
    """Yield the time of torch.compile, once an attempt was timed beside it, or was it."""
    for attempt in view.attempts:
        found = attempt.evaluation
        side = "candidate" if found and found.compiled == "baseline" else "compile"
        for result in found.workloads if found else ():
            if side in result.timing:
                time = _time(result.timing[side])
                yield f"torch.compile takes {time} a call on {result.workload!r}"
                return


def shown_code(view: View, attempt: Attempt | None, device: str) -> ShownCode | None:
    """Return an attempt's file, its runtime by name, with what the judge said about it."""
    if attempt is None or attempt.candidate is None or attempt.evaluation is None:
        return None
    return judged_code(view.task, attempt.candidate.source, attempt.evaluation, device)


def judged_code(task: Task, source: str, evaluation: Evaluation, device: str) -> ShownCode:
    """Return a file, its runtime by name, with a verdict on it."""
    source = shortened(source)
    if evaluation.accepted:
        return ShownCode(source=source, measured=tuple(_measured(evaluation)))
    flags = [f"{f.rule}: {f.evidence}" for f in evaluation.flags if f.severity == "refuse"]
    reason = shown_reason(task, device, evaluation)
    where = evaluation.wrong.words if evaluation.wrong else ()
    error = "\n".join([f"{evaluation.status.value}: {reason}", *where, *flags])
    return ShownCode(source=source, error=error)


def _measured(evaluation: Evaluation) -> Iterator[str]:
    timed = [result for result in evaluation.workloads if result.timing]
    for result in timed:
        sides = sorted(result.timing.items())
        times = ", ".join(f"{NAMES.get(side, side)} {_time(t)}" for side, t in sides)
        yield f"{result.workload}: {times}; {_ratios(result.speedup)}"
    if len(timed) > 1:
        yield f"over all sizes: {_ratios(evaluation.speedup)}"
    yield from (f"{f.rule} ({f.severity}): {f.evidence}" for f in evaluation.flags)
    if evaluation.evidence is not None:
        found = evaluation.evidence
        if found.bound:
            yield f"bound by {found.bound}"
        if found.roof_fraction is not None:
            yield f"reaches {found.roof_fraction:.0%} of the measured roof (estimate)"
        if found.sol_score is not None:
            yield f"speed-of-light score {found.sol_score:.2f} (0.5: eager's time, 1: at the roof)"
        yield from (fact for fact in found.facts[:MOST_FACTS] if RESTATED not in fact)
        yield from found.hot_lines


def _time(timing: Timing) -> str:
    return f"{timing.median_us:,.1f} us"


def _ratios(speedup: dict[str, Speedup]) -> str:
    return ", ".join(
        f"{s.median:.2f}x {NAMES.get(name, name)} (95% interval {s.ci95[0]:.2f} to {s.ci95[1]:.2f})"
        for name, s in sorted(speedup.items(), reverse=True)
    )


def other_code(view: View, device: str) -> tuple[ShownCode, ...]:
    found = (shown_code(view, other, device) for other in view.others)
    return tuple(shown for shown in found if shown is not None)


def what_was_found(view: View, device: str) -> dict[str, object]:
    """Return what was learnt so far; nothing for a start that is meant to be independent."""
    if not view.move.leads_on:
        return {}
    return {
        "diagnosis": diagnosis(view),
        "worked": worked(view),
        "tried": tried(view),
        "untested": untested(view, device),
    }


def contrast(view: View, device: str) -> tuple[ShownCode, ...]:
    """Return the best accepted attempt beside the parent, and the best in a slower bucket.

    Scores that differ show a model what matters (CUDA-L1; Li et al. 2025). Repairs and combinations
    are shown none.
    """
    if view.move.operator == "repair" or view.move.others:
        return ()
    others = [attempt for attempt in ranked(view.attempts) if attempt is not view.parent]
    slower = [attempt for attempt in others if _bucket(attempt) < _bucket(others[0])]
    pair = [others[0], slower[0]] if slower else []
    shown = (shown_code(view, attempt, device) for attempt in pair)
    return tuple(one for one in shown if one is not None)


def _bucket(attempt: Attempt) -> int:
    """Return the bucket of an attempt's speedup; each spans a factor of 1.4."""
    return math.floor(2 * math.log2(eager_speedup(attempt) or 1.0))
