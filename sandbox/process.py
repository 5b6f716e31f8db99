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
from kernelwright.sandbox.escapes import escaped_processes
from kernelwright.sandbox.forkserver_client import Confinement, ForkServer
from kernelwright.sandbox.linux_sandbox import LinuxSandbox
from kernelwright.sandbox.linux_worker import clean_environment
from kernelwright.sandbox.resource_names import is_left, new_name
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


class FolderEnclosure:
    """A temporary folder of the host, which keeps no worker in."""

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
        """See `Enclosure.confinement`."""
        return None, ()

    def escaped(self, worker: int) -> list[int]:
        """See `Enclosure.escaped`."""
        return escaped_processes(worker, self.name)

    def is_intact(self) -> bool:
        """See `Enclosure.is_intact`."""
        return True

    def end(self) -> None:
        """See `Enclosure.end`."""
        shutil.rmtree(self.folder, ignore_errors=True)


class ProcessSandbox(LinuxSandbox):
    """The sandbox that starts workers as plain child processes."""

    def __init__(self) -> None:
        super().__init__(INFO)
        sweep_folders()

    def _make_enclosure(self, spec: WorkerSpec) -> FolderEnclosure:
        return FolderEnclosure(spec)

    def _make_forkserver(self, spec: WorkerSpec) -> ForkServer:
        return ForkServer(sandbox_python(()), clean_environment())


def sweep_folders() -> None:
    """Remove the folders of processes that are gone."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        if is_left(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
