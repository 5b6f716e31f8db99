"""The `process` sandbox: own session, rlimits, clean environment, private folder.

The last resort, on any Linux machine. It holds against accidents (hangs, forks, memory, leftovers),
not against malice: the worker runs as the same user, sees the file system and has the network.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kernelwright.sandbox.base import WorkerSpec, sandbox_python
from kernelwright.sandbox.launcher import Confinement, Zygote
from kernelwright.sandbox.linux import clean_environment
from kernelwright.sandbox.owners import is_left, new_name
from kernelwright.sandbox.starter import LinuxSandbox
from kernelwright.sandbox.strays import strays
from kernelwright.schema import SandboxInfo

INFO = SandboxInfo(
    kind="process",
    holds=(
        "own session and process group, killed as a whole",
        "memory, file-size and core-dump limits",
        "clean environment without keys",
        "private temporary folder",
    ),
    lacks=(
        "network isolation",
        "file-system isolation",
        "a user of its own",
        "children that leave the session and hide where they come from",
        "protection of other processes' memory from the same user",
    ),
)


class Folder:
    """A temporary folder of the host: no place that keeps anybody."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.name = new_name()
        self.folder = Path(tempfile.gettempdir()) / self.name
        self.folder.mkdir(mode=0o700)
        self.inside = str(self.folder)
        (self.folder / "tmp").mkdir()
        try:
            for name, source in spec.files.items():
                shutil.copytree(source, self.folder / name, symlinks=True)
        except OSError:
            self.end()
            raise

    def confinement(self, first: int) -> tuple[Confinement | None, Sequence[int]]:
        """See `Place.confinement`."""
        return None, ()

    def strays(self, worker: int) -> list[int]:
        """See `Place.strays`."""
        return strays(worker, self.name)

    def is_intact(self) -> bool:
        """See `Place.is_intact`."""
        return True

    def end(self) -> None:
        """See `Place.end`."""
        shutil.rmtree(self.folder, ignore_errors=True)


class ProcessSandbox(LinuxSandbox):
    """Starts workers as plain child processes."""

    def __init__(self) -> None:
        super().__init__(INFO)
        sweep_folders()

    def _make_place(self, spec: WorkerSpec) -> Folder:
        return Folder(spec)

    def _make_zygote(self, spec: WorkerSpec) -> Zygote:
        return Zygote(sandbox_python(()), clean_environment())


def sweep_folders() -> None:
    """Remove the folders of processes that are gone."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        if is_left(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
