"""One container: made with every limit, waiting, entered by the workers of one tenant."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import docker
from docker.errors import APIError
from docker.types import Mount, Ulimit

from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.cgroups import groups_of
from kernelwright.sandbox.docker.engine import faults
from kernelwright.sandbox.escapes import escaped_below
from kernelwright.sandbox.forkserver_client import Confinement
from kernelwright.sandbox.namespaces import (
    FOLDER_BYTES,
    FOLDER_INODES,
    IPC,
    MAX_PROCESSES,
    MOUNTS,
    NETWORK,
    SCRATCH,
    SCRATCH_BYTES,
    await_end,
    confinement,
    fill_folder,
    is_running,
    new_user,
    seen_from_here,
)
from kernelwright.sandbox.resource_names import is_left, new_name

# Where workers' folders are; nowhere else may a file be executed that was written in the container.
# No user can pass through it: a worker sees its own folder alone, in mounts of its own.
FOLDERS = "/kernelwright"
LABEL = "kernelwright"
NOBODY = "65534:65534"


def shown(spec: WorkerSpec) -> tuple[str, ...]:
    """Return files and folders of the host that a worker has to see; a new program has its copy."""
    program = [argument for argument in spec.argv if os.path.isabs(argument)] if spec.warm else []
    paths = (*spec.readable, *program)
    return tuple(sorted(set(paths)))


def limits(spec: WorkerSpec) -> Mapping[str, Any]:
    """Return arguments for a container's creation: whatever no kernel needs is taken away."""
    memory = 2 * spec.memory_bytes + FOLDER_BYTES  # a tenant has two workers at a time
    folders = f"rw,nosuid,nodev,exec,mode=0700,size={FOLDER_BYTES},nr_inodes={FOLDER_INODES}"
    return {
        "read_only": True,
        "tmpfs": {FOLDERS: folders, "/tmp": f"rw,nosuid,nodev,noexec,{SCRATCH}"},
        "shm_size": SCRATCH_BYTES,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "user": NOBODY,
        "pids_limit": MAX_PROCESSES,
        "mem_limit": memory,
        "memswap_limit": memory,
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "ipc_mode": "private",
        "mounts": [Mount(path, path, type="bind", read_only=True) for path in shown(spec)],
    }


class Container:
    """A running container, not used yet or with its tenant at work.

    Args:
        image: its name or id.
        beside: a container, to join its network, which is as empty as a new one. To make a new one
            would take the engine longer than all the rest.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        image: str,
        spec: WorkerSpec,
        beside: Container | None = None,
    ) -> None:
        self.name = new_name()
        self.shown = shown(spec)
        self.memory_bytes = spec.memory_bytes
        with faults("start a container"):
            # Its program ends with its input, and so when this process does.
            self._container = client.containers.create(
                image,
                ["cat"],
                name=self.name,
                entrypoint=[],
                stdin_open=True,
                auto_remove=True,
                init=True,
                labels={LABEL: self.name},
                network_mode=f"container:{beside.name}" if beside else "none",
                hostname=None if beside else "kernelwright",  # it is the other one's
                **limits(spec),
            )
            self._input: Any = self._container.attach_socket(params={"stdin": 1, "stream": 1})
            self._container.start()
            self._container.reload()
        self.init = int(self._container.attrs["State"]["Pid"])
        self.groups = groups_of(self.init)
        self._guests = 0
        self._lock = threading.Lock()

    def suits(self, spec: WorkerSpec) -> bool:
        """Whether a worker finds what it needs here."""
        return set(self.shown) >= set(shown(spec)) and self.memory_bytes >= spec.memory_bytes

    def takes(self, spec: WorkerSpec) -> bool:
        """Whether it still runs, has a worker in it, and suits."""
        with self._lock:
            return self._guests > 0 and is_running(self.init) and self.suits(spec)

    def enter(self, spec: WorkerSpec) -> ContainerEnclosure:
        """Make an enclosure for one more worker."""
        with self._lock:
            self._guests += 1
        return ContainerEnclosure(self, spec)

    def leave(self) -> bool:
        """Count one enclosure as left; return whether the whole container is empty."""
        with self._lock:
            self._guests -= 1
            return self._guests == 0

    def remove(self) -> None:
        """Kill all that is in it; the engine removes it then."""
        # The SDK ties the answer and its socket to each other: left alone they are open until the
        # next collection of garbage.
        self._input._response.close()
        try:
            os.kill(self.init, signal.SIGKILL)
        except ProcessLookupError:
            return
        await_end(self.init)


class ContainerEnclosure:
    """A worker's enclosure in a container: a folder and a user of its own."""

    def __init__(self, container: Container, spec: WorkerSpec) -> None:
        self._container = container
        self._readable = spec.readable
        self._user = new_user()
        self._is_empty = False
        self.name = new_name()
        self.inside = f"{FOLDERS}/{self.name}"
        self.folder = seen_from_here(container.init, self.inside)
        try:
            self.folder.mkdir(mode=0o700)
            fill_folder(self.folder, spec.files, self._user)
        except OSError:
            self.end()
            raise

    def confinement(self, first: int) -> tuple[Confinement, Sequence[int]]:
        """See `Enclosure.confinement`."""
        # Workers of one candidate see the same inputs, so one must find nothing that another left.
        apart = MOUNTS | IPC | NETWORK
        return confinement(
            self._container.init,
            self._container.groups,
            self._user,
            {FOLDERS: "mode=0755", "/tmp": SCRATCH, "/dev/shm": SCRATCH},
            first,
            apart,
            [self.inside, *self._readable],
        )

    def escaped(self, worker: int) -> list[int]:
        """See `Enclosure.escaped`; those of other users are the tenant's other workers'."""
        found = escaped_below([worker, self._container.init], worker)
        return [pid for pid in found if _user_of(pid) == self._user]

    def is_intact(self) -> bool:
        """See `Enclosure.is_intact`."""
        return is_running(self._container.init)

    def end(self) -> None:
        """See `Enclosure.end`; the last enclosure's end removes the container."""
        if self._is_empty:
            return
        self._is_empty = True
        if self._container.leave():
            self._container.remove()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def sweep(client: docker.DockerClient) -> int:
    """Remove containers of processes that are gone; return how many."""
    swept = 0
    with faults("remove containers of earlier runs"):
        found = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        for container in found:
            if is_left(container.name or "") and _removed(container):
                swept += 1
    return swept


def _removed(container: Any) -> bool:
    try:
        container.remove(force=True)
    except APIError:  # another process is at it, or it can't be killed yet
        return False
    return True


def _user_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return None
