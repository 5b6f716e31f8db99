"""Everything a prompt may show, and nothing else: no cost, no hidden workload, no history."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Self, get_args

from kernelwright.schema import Record

Block = Literal[
    "device", "contrast", "direction", "diagnosis", "tried", "lessons", "moves", "exemplar"
]
"""Optional parts of a prompt."""
Role = Literal["planner", "coder", "profiler"]


class ShownCode(Record):
    """A file and what the judge said about it."""

    source: str
    measured: tuple[str, ...] = ()
    """One line per fact: times, speedups, flags."""
    error: str = ""
    """Why it was not accepted, trimmed; empty for a file that was."""


class Context(Record):
    """The values that the templates are filled with."""

    kind: str = "module"
    """Kind of the task, which says what a file defines."""
    reference: str
    """The task's file."""
    sizes: tuple[str, ...]
    """One line per workload that may be shown."""
    accuracy: str
    """The tolerance in words."""
    device: tuple[str, ...]
    """At most ten lines."""
    backends: tuple[str, ...]
    """Backends that the file may use; the chosen one alone for the coder."""
    code: ShownCode | None = None
    """The file to go on from; for the profiler, the file that was measured."""
    others: tuple[ShownCode, ...] = ()
    """Other attempts to take from."""
    contrast: tuple[ShownCode, ...] = ()
    """Two accepted attempts, one much faster than the other."""
    direction: str = ""
    """Where to look, in words; empty leaves it open."""
    user_hints: tuple[str, ...] = ()
    """A user's words, given while the search ran."""
    diagnosis: str = ""
    """The profiler's word on `code`."""
    tried: tuple[str, ...] = ()
    """At most five attempts that led nowhere, oldest first."""
    lessons: tuple[str, ...] = ()
    """Changes that were proven on other tasks of this kind, with what they gained."""
    moves: tuple[str, ...] = ()
    """Optimizations to be reminded of."""
    edits: bool = False
    """The coder answers with changes to `code`, not with the whole file."""
    idea: str = ""
    """The change to make."""
    exemplar: str = ""
    """A complete file for the same kind of operator; empty where there is none."""

    def without(self, blocks: Collection[Block]) -> Self:
        """Return the same context with some blocks empty."""
        fields = type(self).model_fields
        empty = {str(name): () if name == "device" else fields[name].default for name in blocks}
        return self.model_copy(update=empty)

    def characters(self) -> dict[str, int]:
        """Return the characters of each block, and of the rest as `task`."""
        blocks = {name: _length(getattr(self, name)) for name in get_args(Block)}
        shown = (self.reference, self.sizes, self.accuracy, self.code, self.others)
        rest = (*shown, self.user_hints, self.idea)
        return {**blocks, "task": sum(map(_length, rest))}


def _length(value: object) -> int:
    if isinstance(value, ShownCode):
        return len(value.source) + len(value.error) + _length(value.measured)
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 0
