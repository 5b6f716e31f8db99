"""Prompt contexts made from the workflow's view: stateless, rebuilt for every step."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from kernelwright.agents.proposer import View
from kernelwright.agents.search.ranking import eager_speedup, ranked
from kernelwright.prompts.context import Context, ShownCode
from kernelwright.prompts.describe import accuracy, shown_workloads, sizes
from kernelwright.prompts.device import device_card
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Evaluation, Speedup, Task, Timing

MOST_TRIED = 5
MOST_FACTS = 24
PLAN_CHARACTERS, REASON_CHARACTERS, ERROR_CHARACTERS = 160, 160, 1500
NOT_SHOWN = "it fails on a case that is not shown; be right for any sizes and values"


def shown_reason(task: Task, device: str, evaluation: Evaluation) -> str:
    """Return the verdict's reason, or NOT_SHOWN if it speaks of a hidden workload."""
    if evaluation.wrong is not None:  # which is never told of a hidden one
        return evaluation.reason[:ERROR_CHARACTERS]
    visible = {workload.name for workload in shown_workloads(task, device)}
    hidden = {w.name for w in task.workloads if w.role == "hidden"}
    named = {name for name in visible | hidden if repr(name) in evaluation.reason}
    # Workloads run in order: where all visible ones have results, a hidden one failed.
    unnamed = not named and visible <= {result.workload for result in evaluation.workloads}
    if hidden and (unnamed or named & hidden):
        return NOT_SHOWN
    return evaluation.reason[:ERROR_CHARACTERS]


def one_line(text: str, characters: int) -> str:
    """Return `text` without line breaks, shortened."""
    return textwrap.shorten(text, characters, placeholder=" [...]")


def common_context(view: View, machine: Machine) -> Context:
    return Context(
        kind=view.task.kind,
        reference=view.task.source,
        sizes=sizes(view.task, machine.device),
        accuracy=accuracy(view.task.tolerance),
        device=device_card(machine),
        backends=view.backends,
    )


def shown_code(view: View, attempt: Attempt | None, device: str) -> ShownCode | None:
    if attempt is None or attempt.candidate is None or attempt.evaluation is None:
        return None
    evaluation = attempt.evaluation
    if evaluation.accepted:
        return ShownCode(source=attempt.candidate.source, measured=tuple(_measured(evaluation)))
    flags = [f"{f.rule}: {f.evidence}" for f in evaluation.flags if f.severity == "refuse"]
    reason = shown_reason(view.task, device, evaluation)
    where = evaluation.wrong.words if evaluation.wrong else ()
    error = "\n".join([f"{evaluation.status.value}: {reason}", *where, *flags])
    return ShownCode(source=attempt.candidate.source, error=error)


def _measured(evaluation: Evaluation) -> Iterator[str]:
    timed = [result for result in evaluation.workloads if result.timing]
    for result in timed:
        times = ", ".join(f"{who} {_time(t)}" for who, t in sorted(result.timing.items()))
        yield f"{result.workload}: {times}; {_ratios(result.speedup)}"
    if len(timed) > 1:
        yield f"over all sizes: {_ratios(evaluation.speedup)}"
    yield from (f"{f.rule} ({f.severity}): {f.evidence}" for f in evaluation.flags)
    if evaluation.evidence is not None:
        found = evaluation.evidence
        yield f"evidence: {found.level}" + (f", bound by {found.bound}" if found.bound else "")
        if found.roof_fraction is not None:
            yield f"reaches {found.roof_fraction:.0%} of the measured roof (estimate)"
        if found.sol_score is not None:
            yield f"speed-of-light score {found.sol_score:.2f} (0.5: eager's time, 1: at the roof)"
        yield from found.facts[:MOST_FACTS]
        yield from found.own_code.words if found.own_code else ()


def _time(timing: Timing) -> str:
    return f"{timing.median_us:,.1f} us"


def _ratios(speedup: dict[str, Speedup]) -> str:
    return ", ".join(
        f"{s.median:.2f}x {name} (95% interval {s.ci95[0]:.2f} to {s.ci95[1]:.2f})"
        for name, s in sorted(speedup.items(), reverse=True)
    )


def other_code(view: View, device: str) -> tuple[ShownCode, ...]:
    found = (shown_code(view, other, device) for other in view.others)
    return tuple(shown for shown in found if shown is not None)


def what_was_found(view: View, device: str) -> dict[str, object]:
    """Return what was learnt so far; nothing for a start that is meant to be independent."""
    if not view.move.leads_on:
        return {}
    diagnosis = view.parent.diagnosis if view.parent else ""
    return {
        "contrast": _contrast(view, device),
        "tried": tuple(_tried(view, device))[-MOST_TRIED:],
        "diagnosis": diagnosis,
    }


def _contrast(view: View, device: str) -> tuple[ShownCode, ...]:
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


def _tried(view: View, device: str) -> Iterator[str]:
    """Yield attempts that failed or were no faster than the best before them."""
    best = 0.0
    for attempt in view.attempts:
        speedup = eager_speedup(attempt)
        if speedup is not None and speedup > best:
            best = speedup
        elif attempt is not view.parent and attempt.error is None:
            outcome = _outcome(view.task, device, attempt, best)
            yield f"{one_line(attempt.plan, PLAN_CHARACTERS)} -> {outcome}"


def _outcome(task: Task, device: str, attempt: Attempt, best: float) -> str:
    speedup = eager_speedup(attempt)
    if attempt.evaluation is None:
        return one_line(attempt.dropped or "", REASON_CHARACTERS)
    if speedup is None:
        return _failure(task, device, attempt.evaluation)
    return f"right, but {speedup:.2f}x eager against {best:.2f}x before"


def _failure(task: Task, device: str, evaluation: Evaluation) -> str:
    reason = shown_reason(task, device, evaluation)
    return one_line(f"{evaluation.status.value}: {reason}", REASON_CHARACTERS)
