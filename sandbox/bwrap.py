"""The `bwrap` sandbox: bubblewrap makes an enclosure of namespaces, and a worker is put into it.

bubblewrap starts a program in new namespaces with a file system of read-only binds and tmpfs. Here
that program only waits. It holds the enclosure open for a worker that is forked from a warm
process of the host and joins it (setns): milliseconds, where importing torch takes seconds.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from kernelwright.errors import InfrastructureError, PrerequisiteError
from kernelwright.sandbox.base import WorkerSpec, sandbox_python
from kernelwright.sandbox.cgroups import make_group, sweep_groups
from kernelwright.sandbox.escapes import descendants, escaped_below, send
from kernelwright.sandbox.forkserver_client import Confinement, ForkServer
from kernelwright.sandbox.linux_sandbox import LinuxSandbox
from kernelwright.sandbox.linux_worker import clean_environment
from kernelwright.sandbox.namespaces import (
    FOLDER_BYTES,
    FOLDER_INODES,
    MAX_PROCESSES,
    SCRATCH,
    SCRATCH_BYTES,
    confinement,
    fill_folder,
    is_running,
    new_user,
    seen_from_here,
)
from kernelwright.sandbox.resource_names import new_name
from kernelwright.schema import SandboxInfo

HOLDS = (
    "namespaces of its own for processes, mounts, network (none), IPC and host name",
    "read-only system, sized temporary file systems, no home folders",
    "no capabilities, no way to new ones, a filter of system calls",
    "memory, file-size and core-dump limits",
    "clean environment without keys",
)
LACKS = ("a Linux kernel of its own",)
NO_GROUPS = "limits on all processes of a worker together"
READY_S = 10.0
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PARTS_OF_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")


class BwrapEnclosure:
    """Namespaces that a waiting program holds open.

    Args:
        as_root: the worker becomes a user of its own; else there is a user namespace.
    """

    def __init__(self, spec: WorkerSpec, as_root: bool) -> None:
        self.name = new_name()
        self.inside = f"/tmp/{self.name}"
        self._holder = Holder(list(_arguments(spec, self.inside, as_root)))
        self.folder = seen_from_here(self._holder.init, self.inside)
        self._user = new_user() if as_root else None
        limits = {"memory": spec.memory_bytes + spec.shared_bytes, "pids": MAX_PROCESSES}
        self._group = make_group(self.name, limits)
        try:
            fill_folder(self.folder, spec.files, self._user)
        except OSError:
            self.end()
            raise

    def confinement(self, first: int) -> tuple[Confinement, Sequence[int]]:
        """See `Enclosure.confinement`."""
        owner = f",uid={self._user},gid={self._user}" if self._user is not None else ""
        mounts = {
            self.inside: f"size={FOLDER_BYTES},nr_inodes={FOLDER_INODES}{owner}",
            "/tmp": SCRATCH,
            "/dev/shm": SCRATCH,
        }
        groups = self._group.folders if self._group else ()
        return confinement(self._holder.init, groups, self._user, mounts, first)

    def escaped(self, worker: int) -> list[int]:
        """See `Enclosure.escaped`; orphans are children of the enclosure's first process."""
        return escaped_below([worker, self._holder.init], worker, self._holder.own)

    def is_intact(self) -> bool:
        """See `Enclosure.is_intact`."""
        return is_running(self._holder.init)

    def end(self) -> None:
        """See `Enclosure.end`."""
        self._holder.end()
        if self._group is not None:
            self._group.end()


class Holder:
    """bubblewrap with a program that waits: `cat`, which ends when this process does.

    Raises:
        InfrastructureError: it did not come up; with what bubblewrap said.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        reader, writer = os.pipe()
        with open(reader) as told:
            self._process = subprocess.Popen(
                ["bwrap", "--info-fd", str(writer), *arguments, "--", "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[writer],
                env={"PATH": os.defpath},
                start_new_session=True,
                bufsize=0,
            )
            os.close(writer)
            if not self._came_up():
                self._process.kill()
                _, said = self._process.communicate()
                words = said.decode(errors="replace").strip() or "it did not come up in time"
                raise InfrastructureError(f"bubblewrap failed: {words}")
            self.init: int = json.load(told)["child-pid"]
            """The first process of the namespaces."""
            self.own = frozenset(descendants(self.init))
            """Processes below that one that are not a worker's."""

    def _came_up(self) -> bool:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(b"up")
        except BrokenPipeError:
            return False
        answered = select.select([self._process.stdout], [], [], READY_S)[0]
        return bool(answered) and self._process.stdout.read(2) == b"up"

    def end(self) -> None:
        """Kill it, and so all in the namespaces: the kernel does that when their first one dies."""
        send(self.init, signal.SIGKILL)
        try:  # it waits for that one, which else would be ours to wait for
            self._process.communicate(timeout=READY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def _arguments(spec: WorkerSpec, inside: str, as_root: bool) -> Iterator[str]:
    yield from ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv")
    yield from ("--hostname", "kernelwright")
    # As the same user a worker could end the program that waits, were it not the first process.
    yield from () if as_root else ("--unshare-user", "--as-pid-1")
    for path in SYSTEM:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", "/dev/shm")
    yield from ("--remount-ro", "/dev")
    yield from ("--ro-bind-try", "/sys/devices/system", "/sys/devices/system")
    yield from ("--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp")
    yield from ("--perms", "0700", "--size", str(FOLDER_BYTES), "--tmpfs", inside)
    for path in visible(spec):
        for above in reversed(Path(path).parents[:-1]):  # else only root may pass through
            yield from ("--perms", "0755", "--dir", str(above))
        yield from ("--ro-bind-try", path, path)
    yield from ("--remount-ro", "/")


def visible(spec: WorkerSpec) -> list[str]:
    """Return paths of the host to show read-only, beside the system: interpreter and packages."""
    python = {sys.prefix, sys.base_prefix, *site.getsitepackages()}
    files = {argument for argument in spec.argv if os.path.isabs(argument)}
    etc = {f"/etc/{name}" for name in PARTS_OF_ETC}
    found = sorted({*python, *files, *etc, *spec.readable})
    return [path for path in found if not path.startswith("/usr/")]


class BwrapSandbox(LinuxSandbox):
    """The sandbox that starts workers in namespaces made by bubblewrap.

    Raises:
        PrerequisiteError: there is no bubblewrap.
    """

    def __init__(self) -> None:
        self._as_root = os.geteuid() == 0
        if shutil.which("bwrap") is None:
            raise PrerequisiteError(
                "bubblewrap is not installed",
                hint="on Debian and Ubuntu: apt-get install bubblewrap",
            )
        nothing = WorkerSpec(argv=(), env={}, memory_bytes=0, files={})
        try:
            Holder(list(_arguments(nothing, "/tmp/none", self._as_root))).end()
        except InfrastructureError as error:  # user namespaces may be forbidden
            raise PrerequisiteError(error.message, hint="`kernelwright sandbox check`") from error
        sweep_groups()
        group = make_group(new_name(), {"memory": 2**30, "pids": 1})
        if group is not None:
            group.end()
        lacks = LACKS if group is not None else (*LACKS, NO_GROUPS)
        own = "a user of its own" if self._as_root else "a user namespace of its own"
        super().__init__(SandboxInfo(kind="bwrap", holds=(own, *HOLDS), lacks=lacks))

    def _make_enclosure(self, spec: WorkerSpec) -> BwrapEnclosure:
        return BwrapEnclosure(spec, self._as_root)

    def _make_forkserver(self, spec: WorkerSpec) -> ForkServer:
        return ForkServer(sandbox_python(()), clean_environment())
