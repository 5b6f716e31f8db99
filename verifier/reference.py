"""The reference side of a task: inputs, weights, expected values and the baseline workers.

The reference runs in workers too (eager and torch.compile), never in this process; what it returns
is kept here. It stays open for a whole run, so that every candidate is judged against the same
expected values and timed against live baselines.
"""

from __future__ import annotations

import functools
import math
import secrets
from typing import NamedTuple, Self

import torch

from kernelwright.errors import InfrastructureError, InvalidReferenceError
from kernelwright.schema import Target, Task, Workload, digest
from kernelwright.tasks.loader import effective_source
from kernelwright.verifier.channel import Spec, WorkerFault
from kernelwright.verifier.comparison import compare
from kernelwright.verifier.inputs import distribute
from kernelwright.verifier.levels import Baseline, Distribution
from kernelwright.verifier.remote import RemoteModule, Values, specs
from kernelwright.verifier.timing import Side
from kernelwright.verifier.workers import Machine, await_start, start_worker

CONSTRUCTOR_SEED = 42  # KernelBench's; a candidate without matching names depends on it
ROTATION_BYTES = 64 * 2**20
MAX_SETS = 16
TIMED_SLOT = 1000
COMPILE_TIMEOUT_S = 600.0
# Too many to be found by trying, from what a worker is seeded with.
SEED_BITS = 60


def call_seed(seed: int) -> int:
    """What torch is seeded with for a call whose inputs were drawn from `seed`; one-way."""
    return int(digest(["call", seed])[:15], 16)


class Case(NamedTuple):
    """One correctness case with everything the judge holds about it."""

    seed: int
    """Of the call, not of the inputs: a worker can read it, and must learn nothing from it."""
    distribution: Distribution
    inputs: Values
    expected: Values
    golden: Values | None


class Prepared(NamedTuple):
    """One workload, loaded."""

    workload: Workload
    source: str
    init: Values
    state: Values
    stateful: bool
    specs: list[Spec]
    has_integers: bool


class Reference:
    """Live reference workers of one task. Use as a context manager.

    Args:
        task: what to run.
        machine: where.
        seed: of all inputs; a run's secret when it comes from `secrets`.
    """

    def __init__(self, task: Task, machine: Machine, seed: int) -> None:
        self.task = task
        self.machine = machine
        self.seed = seed
        self._sides: dict[Baseline, RemoteModule] = {}
        self._prepared: dict[str, Prepared] = {}
        self._cases: dict[tuple[str, int, Distribution], Case] = {}
        self._timed: dict[str, list[Values]] = {}
        self._compiled: dict[str, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; what is asked for next starts new ones. Expected values are kept."""
        for baseline in list(self._sides):
            self._end(baseline)

    def _end(self, baseline: Baseline) -> None:
        self._sides.pop(baseline).process.kill()
        if baseline == "eager":
            self._prepared.clear()
        else:
            self._compiled = {key: False for key, works in self._compiled.items() if not works}

    def workloads(self) -> list[Workload]:
        """The workloads that run on this machine's kind of device; at least one.

        Raises:
            InvalidReferenceError: there is none.
        """
        target: Target = "cpu" if self.machine.device == "cpu" else "cuda"
        found = [w for w in self.task.workloads if w.target in (None, target)]
        if not found:
            message = f"{self.task.id!r} has no workload for {target}"
            raise InvalidReferenceError(message, hint="add one to its task.toml")
        return found

    @property
    def eager(self) -> RemoteModule:
        """The eager reference's worker, started at first use."""
        if "eager" not in self._sides:
            module = start_worker(self.machine, self.task.limits)
            self._sides["eager"] = module
            await_start(module)
        return self._sides["eager"]

    @functools.cached_property
    def bandwidth(self) -> float:
        """Copy bandwidth of the device, bytes per second."""
        return self.eager.copy_bandwidth()

    def prepare(self, workload: Workload) -> Prepared:
        """Load the workload and check that the reference is usable.

        Raises:
            InvalidReferenceError: it raises, returns no tensors, is not repeatable, is too slow or
                needs more memory than the limit.
        """
        if workload.name not in self._prepared:
            try:
                self._prepared[workload.name] = self._prepare(workload)
            except WorkerFault as fault:
                raise invalid(workload, fault) from fault
        return self._prepared[workload.name]

    def _prepare(self, workload: Workload) -> Prepared:
        key, eager = workload.name, self.eager
        source = effective_source(self.task, workload)
        path = eager.write(f"reference_{len(self._prepared)}.py", source)
        init = eager.load(key, path, "Model", CONSTRUCTOR_SEED, None)
        state = eager.state(key)
        inputs = eager.make_inputs(key, self.seed)
        if not inputs.tensors:
            raise InvalidReferenceError(
                "get_inputs() returns no tensor", hint="it must return a list with tensors"
            )
        eager.put(key, 0, inputs)
        first = self._run(key, 0, call_seed(self.seed))
        if not first.tensors:
            raise InvalidReferenceError(
                "forward() returns no tensor", hint="it must return a tensor, or some in a tuple"
            )
        stateful = not _same(state, eager.state(key))
        if stateful:
            eager.set_state(key, state)
        _check_repeatable(first, self._run(key, 0, call_seed(self.seed)))
        if stateful:
            eager.set_state(key, state)
        outputs = specs(first)
        integers = any(not spec.dtype.is_floating_point for spec in outputs)
        return Prepared(workload, source, init, state, stateful, outputs, integers)

    def _run(self, key: str, slot: int, seed: int) -> Values:
        self.eager.call(key, slot, seed)
        return self.eager.fetch(key)

    def case(self, prepared: Prepared, seed: int, distribution: Distribution) -> Case:
        """Inputs and expected values of one case, computed once per run."""
        if prepared.has_integers and distribution == "normal":
            distribution = "reference"  # redrawn values may tie, and the order of ties is free
        index = (prepared.workload.name, seed, distribution)
        if index not in self._cases:
            try:
                self._cases[index] = self._make_case(prepared, seed, distribution)
            except WorkerFault as fault:
                if distribution == "reference":
                    raise invalid(prepared.workload, fault) from fault
                self._restart()
                self._cases[index] = self.case(prepared, seed, "reference")
        return self._cases[index]

    def fresh_case(self, prepared: Prepared) -> Case:
        """A case that no one has been shown, of the reference's own inputs; not kept."""
        try:
            return self._make_case(prepared, secrets.randbits(SEED_BITS), "reference")
        except WorkerFault as fault:
            raise invalid(prepared.workload, fault) from fault

    def _restart(self) -> None:
        """A new eager worker, after one that did not survive values it is not made for."""
        workloads = [prepared.workload for prepared in self._prepared.values()]
        self._end("eager")
        for workload in workloads:
            self.prepare(workload)

    def _make_case(self, prepared: Prepared, seed: int, distribution: Distribution) -> Case:
        key, seed = prepared.workload.name, self.seed + seed
        if prepared.stateful:
            self.eager.set_state(key, prepared.state)
        inputs = distribute(self.eager.make_inputs(key, seed), distribution, seed)
        self.eager.put(key, 0, inputs)
        called_with = call_seed(seed)
        golden = self.eager.golden(key, 0, called_with)
        expected = self._run(key, 0, called_with)
        truth = golden if isinstance(golden, Values) and _fits(golden, expected) else None
        return Case(called_with, distribution, inputs, expected, truth)

    def side(self, prepared: Prepared, baseline: Baseline) -> Side | None:
        """A baseline ready to be timed; None where torch.compile can't have the reference."""
        if baseline == "compile" and not self._compiles(prepared):
            return None
        module = self.eager if baseline == "eager" else self._sides["compile"]
        try:
            slots = self.fill_slots(module, prepared)
        except WorkerFault as fault:
            raise invalid(prepared.workload, fault) from fault
        return Side(module, slots, is_baseline=True)

    def _compiles(self, prepared: Prepared) -> bool:
        key = prepared.workload.name
        if key not in self._compiled:
            try:
                self._compile(prepared)
                self._compiled[key] = True
            except WorkerFault:
                self._end("compile")
                self._compiled[key] = False
        return self._compiled[key]

    def _compile(self, prepared: Prepared) -> None:
        inputs = self.timed_inputs(prepared)[0]
        if "compile" not in self._sides:
            module = start_worker(self.machine, self.task.limits, timeout_s=COMPILE_TIMEOUT_S)
            self._sides["compile"] = module
            await_start(module)
        module, key = self._sides["compile"], prepared.workload.name
        path = module.write(f"reference_{len(self._compiled)}.py", prepared.source)
        module.load(key, path, "Model", CONSTRUCTOR_SEED, prepared.init)
        module.set_state(key, prepared.state)
        module.compile(key, {})
        module.put(key, 0, inputs)
        module.call(key, 0, call_seed(self.seed))

    def fresh_inputs(self, prepared: Prepared, offset: int) -> Values:
        """A set of inputs of its own, by an offset to the run's seed.

        Raises:
            InfrastructureError: the reference, which worked before, fails now.
        """
        try:
            return self.eager.make_inputs(prepared.workload.name, self.seed + offset)
        except WorkerFault as fault:
            message = f"the reference worked once and then failed: {fault.reason}"
            raise InfrastructureError(message) from fault

    def timed_inputs(self, prepared: Prepared) -> list[Values]:
        """Input sets to rotate over: more bytes than the last-level cache, where they may be."""
        key = prepared.workload.name
        if key not in self._timed:
            first = self.fresh_inputs(prepared, TIMED_SLOT)
            sets = min(MAX_SETS, max(2, math.ceil(ROTATION_BYTES / max(1, first.nbytes))))
            more = [self.fresh_inputs(prepared, TIMED_SLOT + index) for index in range(1, sets)]
            self._timed[key] = [first, *more]
        return self._timed[key]

    def fill_slots(self, module: RemoteModule, prepared: Prepared) -> list[int]:
        """Send the rotating inputs to a worker; returns their slots."""
        slots = []
        for index, values in enumerate(self.timed_inputs(prepared)):
            module.put(prepared.workload.name, TIMED_SLOT + index, values)
            slots.append(TIMED_SLOT + index)
        return slots


def invalid(workload: Workload, fault: WorkerFault) -> InvalidReferenceError:
    """The user's error that a fault of a reference worker is."""
    hint = {
        "timeout": "shrink it with --set NAME=VALUE, or give its task.toml [limits] call_timeout_s",
        "out_of_memory": "shrink it with --set NAME=VALUE",
    }.get(fault.status.value, "run the file by itself to see the error")
    return InvalidReferenceError(
        f"the reference fails on workload {workload.name!r}: {fault.status.value}: {fault.reason}",
        hint=hint,
    )


def _same(left: Values, right: Values) -> bool:
    if left.tree != right.tree or specs(left) != specs(right):
        return False
    return all(torch.equal(a, b) for a, b in zip(left.tensors, right.tensors, strict=True))


def _fits(golden: Values, expected: Values) -> bool:
    shapes = [t.shape for t in golden.tensors], [t.shape for t in expected.tensors]
    return golden.tree == expected.tree and shapes[0] == shapes[1]


def _check_repeatable(first: Values, second: Values) -> None:
    same_form = first.tree == second.tree and len(first.tensors) == len(second.tensors)
    if same_form:
        pairs = zip(first.tensors, second.tensors, strict=True)
        same_form = all(a.shape == b.shape and compare(a, b, None).reason is None for a, b in pairs)
    if not same_form:
        raise InvalidReferenceError(
            "the reference is not repeatable: same inputs and same torch seed, other outputs",
            hint="draw random numbers from torch only, and none from time or global state",
        )
