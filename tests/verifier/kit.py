"""The kit of the verifier's tests: tasks, candidates and machines."""

from __future__ import annotations

import atexit
import functools
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernelwright.sandbox.linux_worker import LinuxWorker
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Candidate, Limits, Origin, Task, Workload
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.testing.sandbox import until
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.input_buffers import InputBuffer, plan_layout
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed

SEED = 7
INPUTS = """
    def get_inputs():
        return [torch.randn(8, 33)]

    def get_init_inputs():
        return []
"""


def source(text: str) -> str:
    """Return a module's text with torch imported."""
    return "import torch\nfrom torch import nn\n" + textwrap.dedent(text)


def forward(body: str, before: str = "") -> str:
    """Return a candidate with `body` as its forward(x), after module-level code `before`."""
    method = textwrap.indent(textwrap.dedent(body).strip(), "        ")
    return source(before) + f"\nclass ModelNew(nn.Module):\n    def forward(self, x):\n{method}\n"


def task(
    text: str,
    limits: Limits | None = None,
    workloads: tuple[Workload, ...] = (Workload(name="default"),),
) -> Task:
    """Return a task with the module in `text`, by default with one [8, 33] matrix as input."""
    whole = textwrap.dedent(text)
    if "def get_inputs" not in whole:
        whole += textwrap.dedent(INPUTS)
    limits = limits or Limits(call_timeout_s=30, memory_bytes=2 * 2**30)
    return Task(id="tests/task", source=source(whole), limits=limits, workloads=workloads)


def candidate(text: str, backend: str = "torch") -> Candidate:
    """Return a user's candidate."""
    return Candidate(source=text, backend=backend, origin=Origin(kind="user"))


@functools.cache
def _sandbox() -> ProcessSandbox:
    """Return the one sandbox of all tests: its fork server takes a second to import torch."""
    sandbox = ProcessSandbox()
    atexit.register(sandbox.close)
    return sandbox


def machine(threads: int = 1) -> Machine:
    """Return a machine with the `process` sandbox."""
    return Machine(_sandbox(), threads, "cpu")


@contextmanager
def live_reference(subject: Task, threads: int = 1) -> Iterator[Reference]:
    """Yield a reference with its workers."""
    with Reference(subject, machine(threads), SEED) as reference:
        yield reference


@contextmanager
def worker_with(where: Machine, limits: Limits) -> Iterator[WorkerClient]:
    """Yield the client of a worker that has started."""
    client = start_worker(where, limits)
    try:
        await_start(client)
        yield client
    finally:
        client.process.kill()


def load(client: WorkerClient, text: str) -> Instance:
    """Load a candidate without constructor arguments."""
    path = client.write("candidate.py", text)
    return Instance.load(client, MODULE, "default", path, "ModelNew", packed([]))


def called(instance: Instance, *inputs: object) -> TensorTree:
    """Return the result of one call on some inputs."""
    values = packed(list(inputs))
    buffer = InputBuffer(plan_layout(values, 1))
    buffer.put(0, values)
    instance.set_inputs(buffer)
    return instance.result(instance.run([0]), 0)


def group_members(group: int) -> list[int]:
    """Return the running processes of a group, without zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def children() -> set[int]:
    """Return the running children of this process, without zombies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def worker_pid(client: WorkerClient) -> int:
    """Return the process id of a worker in the `process` sandbox."""
    assert isinstance(client.process, LinuxWorker)
    return client.process.pid


def gone(group: int) -> bool:
    """Return whether a process group becomes empty in time."""
    return until(lambda: not group_members(group))
