"""The build cache: files from candidates' build folders, kept under a key.

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
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.base import Backend
from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Task, digest
from kernelwright.verifier.build.notes import Missed
from kernelwright.verifier.build.object_code import ObjectCode
from kernelwright.verifier.worker.start import TOOLS_FOLDER, WORKER_VERSION

# torch's inline extensions call ninja at every import. ninja's files name the folder in which the
# build was made, so in a copy ninja would build everything again.
NINJA = """#!/bin/sh
if [ "$1" != --version ]; then
  for built in *.so; do [ -e "$built" ] && exit 0; done
fi
PATH="${PATH#*:}"
exec ninja "$@"
"""
# This file lies in the judge's own folder, where no candidate can have written it.
OBJECT_CODE_FILE = "object_code_2.json"


class Build(NamedTuple):
    """A finished build."""

    folder: Path
    """Folder in the cache, read-only."""
    seconds: float | None
    """Seconds of the build; None if it was in the cache already."""
    object_code: ObjectCode
    """Facts about its object code."""


def build_key(candidate: Candidate, backend: Backend, task: Task, machine: Machine) -> str:
    """Return a digest of a build's inputs. The task is one: inductor compiles for its shapes."""
    parts = [
        candidate.hash,
        backend.toolchain(),
        task.hash,
        machine.device,
        WORKER_VERSION,
        OBJECT_CODE_FILE,
    ]
    return digest(parts)[:32]


def kept_object_code(folder: Path) -> ObjectCode | None:
    """Read the object code's facts of a kept build; None, and clean up, if missing or incomplete.

    A loss of power may leave half a build.
    """
    try:
        known = json.loads((folder / TOOLS_FOLDER / OBJECT_CODE_FILE).read_text())
        missed = tuple(Missed(*one) for one in known["missed"])
        found = ObjectCode(tuple(known["facts"]), known["digest"], missed)
    except (OSError, ValueError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with suppress(OSError):  # a folder of another user's
        os.utime(folder)  # its last use: see `contents.py`
    return found


def keep(built: Path, folder: Path, object_code: ObjectCode) -> None:
    """Copy a worker's build folder into the cache, with the facts about its object code.

    Raises:
        InfrastructureError: the cache cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".incoming-"))
        try:
            _copy(built, scratch)
            (scratch / TOOLS_FOLDER / OBJECT_CODE_FILE).write_text(
                json.dumps(object_code._asdict())
            )
            os.rename(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        # Another process may have finished the same build first; its result is as good.
        if not folder.exists():
            raise InfrastructureError(f"cannot keep a build: {error}") from error


def _copy(built: Path, scratch: Path) -> None:
    """Copy a candidate's build folder safely: it may hold links, or set-user-id programs."""
    if built.is_dir() and not built.is_symlink():
        shutil.copytree(built, scratch, dirs_exist_ok=True, symlinks=True, ignore=_special)
    for folder, _, names in os.walk(scratch):
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o755)  # no set-user-id bits
    tools = scratch / TOOLS_FOLDER
    if tools.is_dir() and not tools.is_symlink():
        shutil.rmtree(tools)
    tools.unlink(missing_ok=True)
    tools.mkdir()
    (tools / "ninja").write_text(NINJA)
    (tools / "ninja").chmod(0o755)


def _special(folder: str, names: Iterable[str]) -> set[str]:
    """Return names that are no file, folder or link: opening a candidate's pipe would block."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    modes = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
    return {name for name, mode in modes.items() if not any(is_kind(mode) for is_kind in kinds)}
