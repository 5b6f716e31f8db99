"""The build cache: what a candidate leaves in its build folder, kept under a key.

Nothing that a candidate writes can reach another candidate or the cache itself: the host copies
the folder, and each later worker starts with a private copy.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.base import Backend
from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Task, digest
from kernelwright.verifier.build.object_code import ObjectCode
from kernelwright.verifier.worker.start import (
    TOOLS_FOLDER,
    WORKER_VERSION,
)

# torch's inline extensions ask ninja at every import whether something is to be done. Its files
# name the folder that the build was made in, so in a copy it would do all of it again.
NINJA = """#!/bin/sh
if [ "$1" != --version ]; then
  for built in *.so; do [ -e "$built" ] && exit 0; done
fi
PATH="${PATH#*:}"
exec ninja "$@"
"""
# Beside what the judge puts there, as a candidate can't have written that.
FINDINGS = "object_code.json"


class Build(NamedTuple):
    """A finished build."""

    folder: Path
    """Read-only, in the cache."""
    seconds: float | None
    """None when it was in the cache already."""
    object_code: ObjectCode
    """About its object code."""


def build_key(candidate: Candidate, backend: Backend, task: Task, machine: Machine) -> str:
    """What a build depends on. The task is part of it: inductor compiles for its shapes."""
    parts = [
        candidate.hash,
        backend.toolchain(),
        task.hash,
        machine.device,
        WORKER_VERSION,
        FINDINGS,
    ]
    return digest(parts)[:32]


def kept_object_code(folder: Path) -> ObjectCode | None:
    """What is kept of a build; None where there is none, or a loss of power left half of one."""
    try:
        known = json.loads((folder / TOOLS_FOLDER / FINDINGS).read_text())
        return ObjectCode(tuple(known["facts"]), known["digest"])
    except (OSError, ValueError):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def keep(built: Path, folder: Path, object_code: ObjectCode) -> None:
    """Copy a worker's build folder into the cache, with what was found of its object code.

    Raises:
        InfrastructureError: it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".incoming-"))
        try:
            _copy(built, scratch)
            (scratch / TOOLS_FOLDER / FINDINGS).write_text(json.dumps(object_code._asdict()))
            os.rename(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        # Or another process finished the same build first; its result is as good.
        if not folder.exists():
            raise InfrastructureError(f"cannot keep a build: {error}") from error


def _copy(built: Path, scratch: Path) -> None:
    """Copy what a candidate left, who may have put links or programs for others there."""
    if built.is_dir() and not built.is_symlink():
        shutil.copytree(built, scratch, dirs_exist_ok=True, symlinks=True, ignore=_special)
    for folder, _, names in os.walk(scratch):
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o755)  # not as somebody else's program
    tools = scratch / TOOLS_FOLDER
    if tools.is_dir() and not tools.is_symlink():
        shutil.rmtree(tools)
    tools.unlink(missing_ok=True)
    tools.mkdir()
    (tools / "ninja").write_text(NINJA)
    (tools / "ninja").chmod(0o755)


def _special(folder: str, names: Iterable[str]) -> set[str]:
    """What is no file, folder or link: opening a pipe that a candidate left would block."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    modes = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
    return {name for name, mode in modes.items() if not any(is_kind(mode) for is_kind in kinds)}
