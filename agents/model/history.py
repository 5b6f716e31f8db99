"""The lessons of earlier attempts: what worked, what gained nothing, and what is still open.

A repair belongs to the idea that its first, failed file was written for. So an idea whose code was
wrong stays open, and one whose repair was right is judged by that.
"""

from __future__ import annotations

from kernelwright.agents.model.words import one_line, shown_reason
from kernelwright.agents.proposer import View
from kernelwright.agents.search.ideas import Node, idea_behind, tree, waiting
from kernelwright.agents.search.lineage import ancestors, begun_with
from kernelwright.agents.search.ranking import best_attempt, eager_speedup
from kernelwright.schema import Attempt

MOST_SHOWN = 5
PLAN_CHARACTERS, REASON_CHARACTERS = 160, 160


def plan_behind(view: View, attempt: Attempt) -> str:
    """Return the plan that an attempt's code was first written for."""
    return begun_with(view.attempts, attempt).plan


def last_right(view: View, attempt: Attempt) -> Attempt | None:
    """Return the right attempt that a failed one goes back to; else the best one there is."""
    before = (one for one in ancestors(view.attempts, attempt) if eager_speedup(one) is not None)
    return next(before, best_attempt(view.attempts))


def diagnosis(view: View) -> str:
    """Return the profiler's word on the parent, until an attempt that knew it has ended.

    Of a tuned file, whose numbers are new alone, it is the word on the file that was tuned.
    """
    parent = view.parent
    if parent is None:
        return ""
    if parent.move.operator == "tune":
        parent = next(a for a in ancestors(view.attempts, parent) if a.move.operator != "tune")
    files = [parent.index]
    for one in view.attempts:
        if one.move.operator == "tune" and one.move.parent in files:
            files.append(one.index)
    used = any(a.move.parent in files and not a.move.is_free for a in view.attempts)
    return "" if used else parent.diagnosis


def worked(view: View) -> tuple[str, ...]:
    """Return the steps that led to the parent, or to the last right file before it."""
    steps = _steps(view)
    lines: list[str] = []
    before = 1.0
    for step in steps:
        speedup = eager_speedup(step) or before
        gained = f"{speedup:.2f}x eager"
        if lines:
            gained += f", {speedup / before:.2f}x the step before"
        lines.append(f"{_plan(view, step)} -> {gained}")
        before = speedup
    return tuple(lines)


def tried(view: View) -> tuple[str, ...]:
    """Return ideas that were realised and were no faster than the best before them.

    Tuned numbers are no ideas.
    """
    lines, best, on_the_way = [], 0.0, _steps(view)
    for attempt in view.attempts:
        speedup = eager_speedup(attempt)
        if speedup is None:
            continue
        if speedup > best:
            best = speedup
        elif attempt not in on_the_way and attempt.move.operator != "tune":
            outcome = f"right, but {speedup:.2f}x eager against {best:.2f}x before"
            lines.append(f"{_plan(view, attempt)} -> {outcome}")
    return tuple(lines[-MOST_SHOWN:])


def untested(view: View, device: str) -> tuple[str, ...]:
    """Return ideas whose code failed to the last; the one that is being repaired is left out."""
    parent = view.parent
    own = None if parent is None else idea_behind(view.attempts, parent)
    lines = [
        f"{_name(node)}{_plan(view, node.attempts[-1])} -> "
        f"{_failure(view, device, node.attempts[-1])}"
        for node in tree(view.attempts)
        if node.state == "wrong code" and node.name != own
    ]
    return tuple(lines[-MOST_SHOWN:])


def unwritten(view: View) -> tuple[str, ...]:
    """Return planners' ideas that are open, by name, the most promising first."""
    nodes = [node for node in waiting(view.attempts) if node.state == "open"]
    return tuple(f"{_name(node)}{_told(node)}" for node in nodes[:MOST_SHOWN])


def _steps(view: View) -> list[Attempt]:
    """Return the right attempts that lead to the parent, the first one first."""
    parent = view.parent
    if parent is None:
        return []
    line = [parent, *ancestors(view.attempts, parent)]
    return [one for one in reversed(line) if eager_speedup(one) is not None]


def _name(node: Node) -> str:
    return f"{node.name}: " if node.is_planners else ""


def _told(node: Node) -> str:
    """Return an idea as its planner told it, with the expected speedup over eager."""
    words = [one_line(node.card.text, PLAN_CHARACTERS)]
    words += [f"({node.card.backend})"] if node.card.backend else []
    words += [f"-> {node.expected:.2f}x eager expected"] if node.expected else []
    return " ".join(words)


def _plan(view: View, attempt: Attempt) -> str:
    return one_line(plan_behind(view, attempt), PLAN_CHARACTERS)


def _failure(view: View, device: str, attempt: Attempt) -> str:
    found = attempt.evaluation
    if found is None:
        return one_line(attempt.dropped or "", REASON_CHARACTERS)
    reason = shown_reason(view.task, device, found)
    return one_line(f"{found.status.value}: {reason}", REASON_CHARACTERS)
