"""The decisions behind an attempt and its fate, in words."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.ranking import eager_speedup
from kernelwright.report.format import cached, cost
from kernelwright.schema import Attempt, ModelCall, Move

OPERATORS = {
    "fresh": "started from the reference",
    "improve": "went on from attempt {parent}",
    "repair": "repaired attempt {parent}",
    "combine": "combined attempt {parent} with {others}",
    "seed": "took a file of the offline optimizer",
    "tune": "put other numbers in the file of attempt {parent}",
}


def how(move: Move) -> str:
    """Return the search strategy's decision in words."""
    parent = "" if move.parent is None else str(move.parent + 1)
    others = ", ".join(str(index + 1) for index in move.others)
    words = OPERATORS[move.operator].format(parent=parent, others=others)
    words += "" if move.island is None else f", in population {move.island + 1}"
    words += f"; direction: {move.direction}" if move.direction else ""
    words += f"; took up idea {move.idea}" if move.idea else ""
    return words + (f"; hint: {' / '.join(move.hints)}" if move.hints else "")


def fate(attempt: Attempt, attempts: Sequence[Attempt]) -> str:
    """Return in words whether and why an attempt was kept."""
    if attempt.dropped is not None:
        return f"dropped before it was evaluated: {attempt.dropped}"
    if attempt.evaluation is None:
        return "lost to an infrastructure error; not scored"
    repairs = [a.number for a in attempts if a.move.operator == "repair" and _is_parent(attempt, a)]
    if not attempt.evaluation.accepted:
        return "not kept" + (f"; repaired by attempt {repairs[0]}" if repairs else "")
    own = eager_speedup(attempt)
    if own is None:
        return "right, but not timed"
    earlier = (a for a in attempts if a.index < attempt.index)
    best, number = max(((eager_speedup(a) or 0.0, a.number) for a in earlier), default=(0, 0))
    led_to = sum(_is_parent(attempt, later) for later in attempts)
    later = "attempt" if led_to == 1 else "attempts"
    after = f"; {led_to} later {later} went on from it" if led_to else ""
    at_length = "" if attempt.evaluation.level == "fast" else "; measured at length"
    place = "best so far" if own > best else f"not faster than attempt {number}"
    return place + at_length + after


def calls_of(attempt: Attempt, calls: Sequence[ModelCall]) -> list[ModelCall]:
    """Return the model calls that were made for an attempt."""
    return [call for call in calls if call.attempt == attempt.index]


def call_title(call: ModelCall) -> str:
    """Return a call's role, model, tokens, share of cached ones, and cost."""
    usage = call.usage
    tokens = [
        f"{count:,} tokens {way}"
        for count, way in ((usage.input_tokens, "in"), (usage.output_tokens, "out"))
        if count is not None
    ]
    words = [f"{call.role}: {call.model}", *tokens, cached(usage), cost(usage)]
    return ", ".join(filter(None, words))


def blocks_line(call: ModelCall) -> str:
    """Return the estimated tokens of each block of the prompt; empty where they are unknown."""
    known = {name: count for name, count in (call.block_tokens or {}).items() if count}
    return ", ".join(f"{name} {count:,}" for name, count in known.items())


def _is_parent(attempt: Attempt, later: Attempt) -> bool:
    return attempt.index in (later.move.parent, *later.move.others)
