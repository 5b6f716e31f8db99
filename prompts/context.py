"""Everything a prompt may show, and nothing else: no cost, no hidden workload, no history."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Self, get_args

from kernelwright.schema import Policy, Record

Block = Literal[
    "device",
    "facts",
    "graph",
    "contrast",
    "direction",
    "diagnosis",
    "worked",
    "tried",
    "untested",
    "ideas",
    "lessons",
    "moves",
    "exemplar",
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
    precision: str
    """The precision that a file has to keep, in words."""
    policy: Policy = "any"
    """Code that may do the work."""
    timing: tuple[str, ...]
    """How a call is timed, one line per fact."""
    device: tuple[str, ...]
    """At most ten lines."""
    facts: tuple[str, ...] = ()
    """Measurements of the reference, one line each; empty where there are none."""
    graph: tuple[str, ...] = ()
    """The reference's traced operations, one line each; empty where it can't be traced."""
    backends: tuple[str, ...]
    """Backends that the file may use; the chosen one alone for the coder."""
    abilities: tuple[str, ...] = ()
    """One line on each backend: what it is, and what it can't do."""
    runtime: str = ""
    """Line that stands for the loader and helpers of the backend; empty where it has none."""
    api: str = ""
    """Names of the runtime, one line each."""
    outline: str = ""
    """A file that uses the runtime, without a kernel."""
    code: ShownCode | None = None
    """The file to go on from; for the profiler, the file that was measured."""
    meant: str = ""
    """The idea that a failed `code` was written for."""
    last_right: ShownCode | None = None
    """The last right file before a failed `code`."""
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
    worked: tuple[str, ...] = ()
    """The steps that led to `code`, oldest first, with what each gained."""
    tried: tuple[str, ...] = ()
    """At most five ideas that were realised and gained nothing, oldest first."""
    untested: tuple[str, ...] = ()
    """At most five ideas whose code was wrong, so that they are still open, oldest first."""
    ideas: tuple[str, ...] = ()
    """At most five ideas that no code was written for yet, by name, the most promising first."""
    lessons: tuple[str, ...] = ()
    """Changes that were measured on tasks of this kind: what they gained or lost, and on what."""
    moves: tuple[str, ...] = ()
    """Optimizations to be reminded of."""
    tools: bool = False
    """The coder answers by calling tools."""
    tunes: bool = False
    """Numbers that a file declares are tuned without the coder."""
    edits: bool = False
    """The coder answers with changes to `code`, not with the whole file."""
    idea: str = ""
    """The change to make."""
    exemplar: str = ""
    """A file for the same kind of operator, the runtime by name; empty where there is none."""

    def without(self, blocks: Collection[Block]) -> Self:
        """Return the same context with some blocks empty."""
        fields = type(self).model_fields
        empty = {str(name): () if name == "device" else fields[name].default for name in blocks}
        return self.model_copy(update=empty)

    def characters(self) -> dict[str, int]:
        """Return the characters of each block, and of the rest as `task`."""
        blocks = {name: _length(getattr(self, name)) for name in get_args(Block)}
        named = {*blocks, "kind", "policy", "edits", "tools", "tunes"}
        rest = (getattr(self, name) for name in type(self).model_fields if name not in named)
        return {**blocks, "task": sum(map(_length, rest))}


def _length(value: object) -> int:
    if isinstance(value, ShownCode):
        return len(value.source) + len(value.error) + _length(value.measured)
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 0
