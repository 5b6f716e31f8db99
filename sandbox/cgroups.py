"""Control groups of one worker: how much memory and how many processes it may have in all.

In either hierarchy, version 2 or the controllers of version 1, below the group of this process, and
only where that may be written to; where not, workers have the limits of each process alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kernelwright.sandbox.escapes import send
from kernelwright.sandbox.resource_names import is_left

# File that a limit is written to: controller -> name in version 1, in version 2.
FILES = {
    "memory": ("memory.limit_in_bytes", "memory.max"),
    "pids": ("pids.max", "pids.max"),
}
CONTROLLERS = tuple(FILES)
EMPTIED_S = 5.0


class Group(NamedTuple):
    """The groups of one worker, of which there are several in version 1."""

    folders: tuple[Path, ...]

    def members(self) -> set[int]:
        """Return the ids of the processes in it."""
        texts = [_read(folder / "cgroup.procs") for folder in self.folders]
        return {int(word) for text in texts for word in text.split()}

    def end(self) -> None:
        """Kill what is in it and remove it, unless something can't be killed in time."""
        deadline = time.monotonic() + EMPTIED_S
        while not all(map(_removed, self.folders)) and time.monotonic() < deadline:
            for pid in self.members():
                send(pid, signal.SIGKILL)
            time.sleep(0.001)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # busy
        return False
    return True


def make_group(name: str, limits: Mapping[str, int]) -> Group | None:
    """Make a new group with these limits; return None where this process can't make one.

    Args:
        limits: `memory` in bytes and `pids` in processes and threads.
    """
    parents = {controller: _parent(controller) for controller in limits}
    folders: list[Path] = []
    try:
        for controller, parent in parents.items():
            if parent is None:
                return Group(tuple(folders)).end()
            folder = parent / name
            folder.mkdir(exist_ok=True)
            if folder not in folders:
                folders.append(folder)
            is_unified = (folder / "cgroup.controllers").exists()
            (folder / FILES[controller][is_unified]).write_text(str(limits[controller]))
    except OSError:
        return Group(tuple(folders)).end()
    return Group(tuple(folders))


def groups_of(pid: int) -> tuple[Path, ...]:
    """Return the folders of a process's groups that hold limits, for the controllers there are."""
    found = [_folder(controller, pid) for controller in CONTROLLERS]
    return tuple(dict.fromkeys(folder for folder in found if folder is not None))


def sweep_groups() -> None:
    """End the groups of processes that are gone."""
    parents = {parent for controller in CONTROLLERS if (parent := _parent(controller))}
    folders = [folder for parent in parents for folder in parent.iterdir()]
    Group(tuple(folder for folder in folders if is_left(folder.name))).end()


def _parent(controller: str) -> Path | None:
    """Return the folder in which groups with this controller can be made; None without one."""
    folder = _folder(controller, os.getpid())
    if folder is None or not os.access(folder, os.W_OK):
        return None
    if (folder / "cgroup.controllers").exists():
        offered = _read(folder / "cgroup.subtree_control").split()
        return folder if controller in offered else None
    return folder


def _folder(controller: str, pid: int) -> Path | None:
    """Return the folder of a process's group in the hierarchy that has this controller."""
    unified = None
    for line in _read(Path(f"/proc/{pid}/cgroup")).splitlines():
        _number, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return _mounted(controller, path)
        if not controllers:
            unified = path
    return None if unified is None else _mounted(None, unified)


def _mounted(controller: str | None, path: str) -> Path | None:
    """Return the path at which a group's folder is mounted; None where it is not."""
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _source, options = rest.split(maxsplit=2)
        is_it = controller in options.split(",") if controller else kind == "cgroup2"
        if kind.startswith("cgroup") and is_it:
            root, at = fields.split()[3:5]
            folder = Path(at) / os.path.relpath(path, root)
            return folder if folder.is_dir() else None
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError, OSError):
        return ""
