"""Honest sessions: the worker's own code obeys in this process, and what it answers is recorded.

Its results stay where they are, so a recorded answer names memory that still holds them.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kernelwright.sandbox.linux_worker import shared_memory
from kernelwright.schema import Candidate, Origin, Workload
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.inside.worker import Worker, _receive_frame
from kernelwright.verifier.reference.calls import load_reference
from kernelwright.verifier.reference.distributions import distribute
from kernelwright.verifier.reference.oracle import expect, with_perturbed_weights
from kernelwright.verifier.reference.probe import prepare
from kernelwright.verifier.reference.workload import Call, Case, PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from tests.fuzz.player import NeverStops, Pipe, framed

SHARED_BYTES = 2**18
MEMORY_BYTES = 2**24
TIMEOUT_S = 10.0
KEY = "default"


class Loopback(Pipe):
    """A channel to a worker in this process; keeps every answer and every result."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self.worker = worker
        self.requests = Pipe()
        self.recorded: list[bytes] = []
        self.kept: list[Any] = []

    def sendall(self, data: bytes | memoryview) -> None:
        self.requests.sendall(data)

    def recv_into(self, view: memoryview) -> int:
        if not self.bytes:
            self._obey()
        return super().recv_into(view)

    def _obey(self) -> None:
        header, tensors = _receive_frame(self.requests)  # type: ignore[arg-type]
        with torch.no_grad():
            reply = getattr(self.worker, f"op_{header['op']}")(header, tensors)
        packed = reply.pop("_tensors", [])
        self.recorded.append(framed({"op": header["op"], **reply}, packed))
        self.bytes += self.recorded[-1]
        self.kept += [loaded.results for loaded in self.worker.loaded.values()]


class Inside(NeverStops):
    """A worker process that is this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(shared_memory(SHARED_BYTES))
        self.folder, self.inside = folder, str(folder)
        self.channel = Loopback(Worker("cpu", mmap.mmap(self.shared, SHARED_BYTES)))


@contextmanager
def inside() -> Iterator[Inside]:
    """Yield a worker in this process with a folder to write to."""
    with tempfile.TemporaryDirectory() as folder:
        yield Inside(Path(folder))


class Subject(NamedTuple):
    """A module, and everything that the judge holds of it."""

    candidate: Candidate
    prepared: PreparedWorkload
    perturbed: PreparedWorkload
    """The workload with the perturbed weights that a candidate gets."""
    cases: list[Case]


def subject(source: str) -> Subject:
    """Find a module's traits and expected values as the judge does."""
    with inside() as process:
        workload = Workload(name=KEY)
        client = WorkerClient(process, MEMORY_BYTES, TIMEOUT_S)
        oracle = load_reference(client, MODULE, workload, source)
        prepared = prepare(oracle, MODULE, workload, source, 1, lambda _prepared: None)
        moved = with_perturbed_weights(oracle, prepared, 1)
        made = [oracle.make_inputs(7), distribute(oracle.make_inputs(8), "zero_mean", 8)]
        cases = [
            Case(seed, "reference", values, expect(oracle, moved, Call(values, seed)))
            for seed, values in enumerate(made)
        ]
    text = f"{source}\nModelNew = Model\n"
    candidate = Candidate(source=text, backend="torch", origin=Origin(kind="user"))
    return Subject(candidate, prepared, moved, cases)
