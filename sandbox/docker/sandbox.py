"""The `docker` sandbox: a fresh hardened container for every tenant, made before it is needed.

A container runs a program that waits. Workers are forked from a warm process, which has imported
torch from the image's own files, and join the container's namespaces and control groups with less
rights than a program of the container has. So a worker starts in milliseconds.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.base import WorkerSpec, sandbox_python
from kernelwright.sandbox.docker.container import Container, ContainerEnclosure, sweep
from kernelwright.sandbox.docker.engine import connect, faults
from kernelwright.sandbox.docker.image import PYTHON, tag
from kernelwright.sandbox.forkserver_client import ForkServer
from kernelwright.sandbox.leases import core_name, lease
from kernelwright.sandbox.linux_sandbox import LinuxSandbox
from kernelwright.sandbox.linux_worker import clean_environment
from kernelwright.sandbox.namespaces import is_running
from kernelwright.schema import SandboxInfo

INFO = SandboxInfo(
    kind="docker",
    holds=(
        "a container of its own for every candidate",
        "a user of its own",
        "no network",
        "read-only root, sized temporary file systems, nothing of the host",
        "no capabilities, no way to new ones, a filter of system calls",
        "memory, process, file-size and core-dump limits",
        "clean environment without keys",
    ),
    lacks=("a Linux kernel of its own",),
)


class DockerSandbox(LinuxSandbox):
    """The sandbox that starts workers in containers.

    Args:
        image: another than the one of `kernelwright sandbox build`.

    Raises:
        PrerequisiteError: no engine answers here, the image is missing, or this is not root.
    """

    def __init__(self, image: str | None = None) -> None:
        super().__init__(INFO)
        if sys.platform != "linux" or os.geteuid() != 0:
            message = "the docker sandbox puts workers into containers itself, which takes root"
            raise PrerequisiteError(message, hint="run as root, or use --sandbox bwrap")
        self._client = connect()
        self._image = image or tag("cpu")
        with faults("find the sandbox image"):
            self._client.images.get(self._image)
        sweep(self._client)
        self._tenants: dict[str, Container] = {}
        self._first: Container | None = None
        self._lock = threading.Lock()
        self._ready: Future[Container] | None = None
        self._hurry = threading.Event()
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="container-maker")

    def _make_forkserver(self, spec: WorkerSpec) -> ForkServer:
        """Make a fork server: a process of this machine that sees the image's files."""
        mounts = os.pidfd_open(self._template(spec).init)
        try:
            return ForkServer(sandbox_python(()), clean_environment(PYTHON), PYTHON, mounts)
        finally:
            os.close(mounts)

    def _make_enclosure(self, spec: WorkerSpec) -> ContainerEnclosure:
        container = self._tenants.get(spec.tenant) if spec.tenant else None
        if container is None or not container.takes(spec):
            container = self._fresh(spec)
            if spec.tenant:
                self._tenants[spec.tenant] = container
        return container.enter(spec)

    def _fresh(self, spec: WorkerSpec) -> Container:
        ready, self._ready = self._ready, None
        self._hurry.set()
        container = self._usable(ready, spec) or self._new(spec)
        self._hurry = threading.Event()
        self._ready = self._maker.submit(self._new_for_later, spec, self._hurry)
        return container

    def _usable(self, ready: Future[Container] | None, spec: WorkerSpec) -> Container | None:
        """Return the container that was made for later, if it could be made and suits."""
        if ready is None or ready.exception() is not None:
            return None
        if ready.result().suits(spec):
            return ready.result()
        ready.result().remove()
        return None

    def _new_for_later(self, spec: WorkerSpec, hurry: threading.Event) -> Container:
        """Make a container while nothing is timed on its cores, or at once if one is waited for."""
        with lease(map(core_name, spec.cores), hurry=hurry):
            return self._new(spec)

    def _new(self, spec: WorkerSpec) -> Container:
        return Container(self._client, self._image, spec, beside=self._template(spec))

    def _template(self, spec: WorkerSpec) -> Container:
        """Return the container without workers; the others use its network and files."""
        with self._lock:
            if self._first is None or not is_running(self._first.init):
                self._first = Container(self._client, self._image, spec)
            return self._first

    def close(self) -> None:
        """See `Sandbox.close`."""
        super().close()
        self._hurry.set()
        self._maker.shutdown()
        if self._ready is not None and self._ready.exception() is None:
            self._ready.result().remove()
        if self._first is not None:
            self._first.remove()
        self._client.close()
