"""Memory that is there: what the machine and this process's control groups still give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kernelwright.sandbox.cgroups import groups_of

# Files of a control group, in version 2 and in version 1: limit, use, and what of it is files that
# were read and can be dropped.
GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int | None:
    """Return how much more memory processes can use; None where the system does not say."""
    machine = _row(Path("/proc/meminfo"), "MemAvailable:")
    groups = [left for folder in groups_of(os.getpid()) for left in _left(folder)]
    return min([*groups, *([] if machine is None else [machine * 1024])], default=None)


def private_bytes(pid: int) -> int | None:
    """Return the memory that a process alone has written to; None where that can't be read."""
    found = _row(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty:")
    return None if found is None else found * 1024


def _left(folder: Path) -> Iterator[int]:
    """Yield what a group and those above it leave, where they have a limit."""
    for group in (folder, *folder.parents):
        for limit, use, files in GROUP_FILES:
            most, now = _number(group / limit), _number(group / use)
            if most is not None and now is not None:
                yield most - now + (_row(group / "memory.stat", files) or 0)


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _row(path: Path, name: str) -> int | None:
    """Return the number behind a name in a file with one a line."""
    rows = (line.split() for line in _text(path).splitlines())
    return next((int(row[1]) for row in rows if len(row) > 1 and row[0] == name), None)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
