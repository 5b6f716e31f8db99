"""Everything a prompt may show, and nothing else: no cost, no hidden workload, no history."""

from __future__ import annotations

from typing import Literal

from kernelwright.schema import Record

Role = Literal["planner", "coder", "profiler"]


class ShownCode(Record):
    """A file and what the judge said about it."""

    source: str
    measured: tuple[str, ...] = ()
    """One line per fact: times, speedups, flags."""
    error: str = ""
    """Why it was not accepted, trimmed; empty for a file that was."""


class Context(Record):
    """What the templates are filled with."""

    reference: str
    """The task's file."""
    sizes: tuple[str, ...]
    """One line per workload that may be shown."""
    accuracy: str
    """The tolerance in words."""
    device: tuple[str, ...]
    """At most ten lines."""
    backends: tuple[str, ...]
    """What the file may be written in; the chosen one alone for the coder."""
    code: ShownCode | None = None
    """What to go on from; for the profiler, what was measured."""
    others: tuple[ShownCode, ...] = ()
    """Other attempts to take from."""
    direction: str = ""
    """Where to look, in words; empty leaves it open."""
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
