"""The judge's requests to a worker: whole verdicts on a candidate, and errands of the reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from kernelwright.sandbox import memory
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Evidence, Task
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.correctness.rules import must_be_right
from kernelwright.verifier.levels import EFFORTS, Distribution
from kernelwright.verifier.profiling.evidence import operator_facts
from kernelwright.verifier.reference.live_workload import LiveWorkload, Parts
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import Call, Case, PreparedWorkload
from kernelwright.verifier.timing.measure import TimedInstance
from kernelwright.verifier.worker import outputs
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.outputs import RunReply
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed
from tests.fuzz.honest import KEY, MEMORY_BYTES, TIMEOUT_S, Subject
from tests.fuzz.player import NeverStops

EFFORT = EFFORTS["fast"].model_copy(update={"cases": ((0, "reference"), (1, "reference"))})


def known_reference(subject: Subject) -> Reference:
    """Return a reference without workers."""
    task = Task(id="tests/fuzz", source=subject.prepared.source)
    return Reference(task, Machine(ProcessSandbox(), 1, "cpu"), 0)


class Known(LiveWorkload):
    """A workload with cases that are known beforehand; it has no workers."""

    def __init__(self, subject: Subject, reference: Reference, instance: Instance) -> None:
        parts = Parts(0, reference.memory, reference.oracle, reference.baselines)
        super().__init__(subject.prepared, parts, instance)
        self.known = subject

    def case(self, prepared: PreparedWorkload, seed: int, distribution: Distribution) -> Case:
        return self.known.cases[seed]

    @property
    def perturbed(self) -> PreparedWorkload:
        return self.known.perturbed

    def conditioning(
        self, prepared: PreparedWorkload, calls: Sequence[Call], exact: TensorTree
    ) -> TensorTree:
        return exact.mapped(
            lambda v: (
                torch.zeros_like(v.abs()) if v.is_floating_point() or v.is_complex() else v[None]
            )
        )


class Taken(NamedTuple):
    """A result that the judge took from a worker."""

    ran: RunReply
    call: int
    values: TensorTree


class Watched(WorkerClient):
    """A client that keeps what the judge takes from the worker, and writes no files."""

    def __init__(self, process: NeverStops) -> None:
        super().__init__(process, MEMORY_BYTES, TIMEOUT_S)
        self.taken: list[Taken] = []
        self.told: list[TensorTree] = []
        self.folder = ""

    def write(self, name: str, text: str) -> str:
        return self.folder + name


@contextmanager
def readable(can_be: bool) -> Iterator[None]:
    """Let the judge read a worker's memory, or forbid it; no read gets stuck.

    Meanwhile watched clients keep what is taken.
    """
    with (
        patch.object(outputs, "read_memory", _read_at_once if can_be else lambda *_: False),
        patch.multiple(Instance, result=_watched_result, state=_watched_state),
    ):
        yield


RESULT, STATE = Instance.result, Instance.state


def _watched_result(
    self: Instance, ran: RunReply, call: int, expect: list[Spec] | None = None
) -> TensorTree:
    values = RESULT(self, ran, call, expect)
    if isinstance(self.client, Watched):
        self.client.taken.append(Taken(ran, call, values))
    return values


def _watched_state(self: Instance) -> TensorTree:
    values = STATE(self)
    if isinstance(self.client, Watched):
        self.client.told.append(values)
    return values


def _read_at_once(pid: int, addresses: Sequence[int], target: memoryview, timeout_s: float) -> bool:
    return memory._read_parts(pid, addresses, target)


def _instance(client: Watched) -> Instance:
    return Instance(client, KEY, packed([]))


def verdict(client: Watched, subject: Subject) -> None:
    """Check a candidate, then time a round and spot-check one of its calls."""
    prepared = subject.perturbed
    json.dumps(client.settings())
    instance, reference = _instance(client), known_reference(subject)
    known = Known(subject, reference, instance)
    check = WorkloadCheck.load(reference, subject.candidate, client, known)
    check.run(EFFORT)
    if prepared.traits.mutates_state:
        check.instance.set_state(prepared.state)
    slots = [0] if prepared.traits.mutates_state else [1, 0]
    buffer = prepared.input_buffer([case.inputs for case in subject.cases[: len(slots)]])
    check.instance.set_layout(buffer.layout)
    ran = TimedInstance(check.instance, is_baseline=False).run(buffer, slots, None)
    result = check.instance.result(ran, len(slots) - 1, prepared.specs)
    must_be_right(check.checker.check(subject.cases[0], result), "a timed call")
    json.dumps(check.instance.observe(0))


def introduction(client: Watched, subject: Subject) -> None:
    """Ask what a reference is asked when it is loaded."""
    json.dumps(client.hello(TIMEOUT_S))
    path = client.write("reference.py", "")
    instance = Instance.load(client, MODULE, KEY, path, "Model", None)
    instance.init.unpacked()
    instance.state().unpacked()
    instance.parameters()
    instance.make_inputs(1).unpacked()
    instance.set_state(subject.prepared.state)


def values(client: Watched, subject: Subject) -> None:
    """Ask what a reference is asked for expected values."""
    instance = _instance(client)
    instance.set_layout(
        subject.prepared.input_buffer([case.inputs for case in subject.cases]).layout
    )
    instance.fill([1, 2])
    instance.uses_rng(0)
    golden = instance.golden([0], 1)
    if isinstance(golden, TensorTree):
        golden.unpacked()
    instance.drop()
    instance.result(instance.run([0, 1]), 1).unpacked()


def extras(client: Watched, subject: Subject) -> None:
    """Ask for what says where the time goes; evidence must be fit to be stored."""
    instance = _instance(client)
    instance.set_layout(
        subject.prepared.input_buffer([case.inputs for case in subject.cases]).layout
    )
    Evidence(level="trace", facts=tuple(operator_facts(instance.profile(0, 3), 1.0)))
    for found in (client.copy_bandwidth(2**10), client.peak_flops(), 1 + instance.flops(0)):
        if not 0 < 1.0 / found < float("inf"):
            raise ArithmeticError("a measure that nothing can be divided by")
    instance.compile({})


PLAYS: dict[str, Any] = {
    "verdict": verdict, "introduction": introduction, "values": values, "extras": extras,
}  # fmt: skip
