"""Owner-tagged names of resources (folders, containers, cgroups).

A later run can delete those of owners that have died.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from kernelwright.sandbox.escapes import START, stat_fields

PREFIX = "kernelwright-"
NAME = re.compile(rf"{PREFIX}(?P<owner>[0-9a-f]{{8}}-(?P<pid>\d+)-\d+)-[0-9a-f]{{8}}")
BOOT = Path("/proc/sys/kernel/random/boot_id")


def new_name() -> str:
    """Return a name for a new resource of this process, unlike any other."""
    return f"{PREFIX}{_owner(os.getpid())}-{secrets.token_hex(4)}"


def is_left(name: str) -> bool:
    """Whether this names a resource of a process that is gone."""
    match = NAME.fullmatch(name)
    return match is not None and _owner(int(match["pid"])) != match["owner"]


def _owner(pid: int) -> str | None:
    """Return a process's name, unlike any other of this machine at any time; None if it is gone."""
    fields = stat_fields(pid)
    return None if fields is None else f"{BOOT.read_text()[:8]}-{pid}-{fields[START]}"
