"""Common parts of enclosures made of namespaces: the worker's user there, and its limits."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kernelwright.sandbox.escapes import STATE, stat_fields
from kernelwright.sandbox.forkserver_client import Confinement, Rights
from kernelwright.sandbox.seccomp import program

# linux/sched.h
MOUNTS, HOST_NAME, IPC, USERS_OF, PROCESSES, NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
ALL = MOUNTS | HOST_NAME | IPC | PROCESSES | NETWORK
FOLDER_BYTES, SCRATCH_BYTES = 2**30, 256 * 2**20
FOLDER_INODES, SCRATCH_INODES = 100_000, 10_000
SCRATCH = f"size={SCRATCH_BYTES},nr_inodes={SCRATCH_INODES},mode=1777"
MAX_PROCESSES = 512
END_WAIT_S = 5.0
# A user and group for each worker, far from those that are in use.
FIRST_USER, USERS = 1_879_048_192, 2**24
_numbers = itertools.count(os.getpid() * 1000)


def new_user() -> int:
    """Return a user id that no other worker has while it lives."""
    return FIRST_USER + next(_numbers) % USERS


def seen_from_here(init: int, inside: str) -> Path:
    """Return the path, from here, of a folder in the mounts of another process."""
    return Path(f"/proc/{init}/root{inside}")


def fill_folder(folder: Path, files: Mapping[str, str], user: int | None) -> None:
    """Put a worker's files into its new folder, and give all of it to the worker's user."""
    (folder / "tmp").mkdir()
    for name, source in files.items():
        shutil.copytree(source, folder / name, symlinks=True)
    if user is None:
        return
    for parent, folders, names in os.walk(folder):
        for name in (".", *folders, *names):
            os.chown(os.path.join(parent, name), user, user, follow_symlinks=False)


def confinement(
    init: int,
    groups: Sequence[Path],
    user: int | None,
    mounts: Mapping[str, str],
    first: int,
    apart: int = 0,
    shown: Sequence[str] = (),
) -> tuple[Confinement, list[int]]:
    """Return what puts a worker beside `init`, and the descriptors that it takes.

    Args:
        groups: folders of control groups to join.
        user: to become; None stays the same in a user namespace.
        mounts: tmpfs and their options; see `Confinement.mounts`.
        first: index of the first of these descriptors among all of an order.
        apart: namespaces that it does not share with the others in the enclosure.
        shown: see `Confinement.shown`.
    """
    keys = [os.pidfd_open(init)]
    keys += [os.open(folder / "cgroup.procs", os.O_WRONLY) for folder in groups]
    made = Confinement(
        init=first,
        namespaces=ALL | (USERS_OF if user is None else 0),
        groups=list(range(first + 1, first + len(keys))),
        apart=apart,
        mounts=mounts,
        shown=shown,
        rights=Rights(user, program()),
    )
    return made, keys


def await_end(init: int) -> None:
    """Wait until a process that was killed, and all in its namespaces, have ended; not for ever."""
    deadline = time.monotonic() + END_WAIT_S
    while time.monotonic() < deadline:
        fields = stat_fields(init)
        if fields is None or fields[STATE] == "Z":
            return
        time.sleep(0.001)


def is_running(init: int) -> bool:
    """Whether the first process of an enclosure lives.

    Its program is gone before those in its namespaces are killed, so a caller that sees one of them
    die for that reason is told so here.
    """
    try:
        os.readlink(f"/proc/{init}/exe")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True
