"""The reference side of a task: inputs, weights, expected values and the baseline workers.

The reference runs in workers too, never in this process. One of them, the oracle, makes inputs and
expected values. The baselines (eager and torch.compile) are only timed, so that they are in the
same state as a candidate's worker. Every candidate of a run is judged against the same expected
values and timed against live baselines.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Sequence
from typing import Self

from kernelwright.errors import InvalidReferenceError, UsageError
from kernelwright.sandbox.leases import lease
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Speedup, Target, Task, Workload
from kernelwright.tasks.loader import effective_source
from kernelwright.verifier.levels import Baseline, Distribution
from kernelwright.verifier.reference.calls import (
    CONSTRUCTOR_SEED,
    invalid,
    known_to_work,
    run_once,
    set_inputs,
)
from kernelwright.verifier.reference.distributions import (
    distribute,
    moves_numbers,
    suits,
    with_moved_numbers,
)
from kernelwright.verifier.reference.input_pool import InputPool
from kernelwright.verifier.reference.memory import (
    MemoryBudget,
    Needs,
    Worth,
    needs,
    require_room,
)
from kernelwright.verifier.reference.oracle import conditioning, expect, with_perturbed_weights
from kernelwright.verifier.reference.peaks import Peaks
from kernelwright.verifier.reference.probe import prepare
from kernelwright.verifier.reference.seeds import SEED_BITS, derived_seed
from kernelwright.verifier.reference.workload import Call, Case, Expected, PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.input_buffers import InputBuffer
from kernelwright.verifier.worker.start import await_start, start_worker
from kernelwright.verifier.worker.tensor_tree import TensorTree, is_finite, same_tree

COMPILE_TIMEOUT_S = 600.0
EAGER_TENANT = "eager"
# Bytes that are copied to measure memory and caches.
MEMORY_BYTES = {"cpu": 2**28, "cuda": 2**31}
CACHE_BYTES = {"cpu": 2**18, "cuda": 2**23}
# Inputs of a round take so many times a GPU's last cache, so that few of them are still there.
TIMES_L2 = 4
PROBED_BYTES = 2**20


class Reference:
    """The live workers of one task's reference. Use as a context manager.

    Args:
        task: the task.
        machine: the machine on which the workers run.
        seed: secret from which the seeds of all inputs are derived; a run takes it from `secrets`.
    """

    def __init__(self, task: Task, machine: Machine, seed: int) -> None:
        self.task = task
        self.machine = machine
        self.seed = seed
        self._oracle: WorkerClient | None = None
        self._baselines: dict[Baseline, WorkerClient] = {}
        self._loaded: dict[tuple[Baseline, str], bool] = {}
        self._prepared: dict[str, PreparedWorkload] = {}
        self._flops: dict[str, int] = {}
        self._perturbed: dict[str, PreparedWorkload] = {}
        self._fixed_numbers: set[str] = set()
        """Workloads that can't do with other Python numbers than their own."""
        self.memory = MemoryBudget()
        """The memory of this process for cases, timed inputs and results."""
        self.needs: dict[str, Needs] = {}
        """The memory that judging each prepared workload takes."""
        self._works: dict[tuple[str, bool, int, Distribution], tuple[Distribution, bool]] = {}
        """The distribution that each case came to have, and whether its Python numbers moved."""
        self._spare: WorkerClient | None = None
        self.iterations: dict[tuple[str, str, float], int | None] = {}
        """Iterations of a round by workload, baseline and wanted seconds; None without baseline."""
        self._pools: dict[tuple[str, int], InputPool] = {}
        self.compile_speedups: dict[str, Speedup] = {}
        """Speedup of torch.compile over eager by workload, once it was timed in this run."""

    @classmethod
    def open(cls, task: Task, machine: Machine) -> Self:
        """Return a reference with inputs from a seed that is known to this process alone."""
        return cls(task, machine, secrets.randbits(SEED_BITS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; the next use starts new ones. What is kept stays."""
        self._end_oracle()
        for baseline in list(self._baselines):
            self._end(baseline)
        if self._spare is not None:
            self._spare.process.kill()
            self._spare = None

    def _end_oracle(self) -> None:
        if self._oracle is not None:
            self._oracle.process.kill()
            self._oracle = None
            self._prepared.clear()

    def _end(self, baseline: Baseline) -> None:
        self._baselines.pop(baseline).process.kill()
        # A workload that does not compile would not compile in a new worker either.
        loaded = self._loaded.items()
        self._loaded = {key: works for key, works in loaded if key[0] != baseline or not works}

    def workloads(self) -> list[Workload]:
        """Return the workloads that run on this machine's kind of device; at least one.

        Raises:
            InvalidReferenceError: there is none.
        """
        target: Target = "cpu" if self.machine.device == "cpu" else "cuda"
        found = [w for w in self.task.workloads if w.target in (None, target)]
        if not found:
            message = f"{self.task.id!r} has no workload for {target}"
            raise InvalidReferenceError(message, hint="add one to its task.toml")
        return found

    def check(self) -> None:
        """Run every workload of this device once.

        Raises:
            InvalidReferenceError: one of them fails.
            UsageError: none of them is timed.
        """
        workloads = self.workloads()
        if not any(workload.role == "bench" for workload in workloads):
            raise UsageError(
                f"task {self.task.id!r} has no timed workload for {self.machine.device!r}",
                hint="see `kernelwright tasks show`",
            )
        for workload in workloads:
            self.prepare(workload)

    @property
    def oracle(self) -> WorkerClient:
        """The worker that makes inputs and expected values, started at first use."""
        if self._oracle is None:
            self._oracle = self._start()
        return self._oracle

    @property
    def was_read(self) -> bool:
        """Whether results were read from the oracle's memory."""
        return self._oracle is not None and self._oracle.was_read

    def _start(self, timeout_s: float | None = None) -> WorkerClient:
        client = start_worker(self.machine, self.task.limits, timeout_s=timeout_s)
        await_start(client)
        return client

    def _new_eager(self) -> WorkerClient:
        return start_worker(self.machine, self.task.limits, tenant=EAGER_TENANT)

    def _start_eager(self) -> WorkerClient:
        client, self._spare = self._spare or self._new_eager(), None
        await_start(client)
        return client

    @functools.cached_property
    def bandwidth(self) -> float:
        """Copy bandwidth of the device's memory, bytes per second."""
        with lease(self.machine.devices), known_to_work():
            return self.oracle.copy_bandwidth(MEMORY_BYTES[self.machine.kind])

    @functools.cached_property
    def product_speed(self) -> float:
        """Operations per second of a large float32 matrix product."""
        return self._product_speed("float32")

    def _product_speed(self, dtype: str) -> float:
        with lease(self.machine.devices), known_to_work():
            return self.oracle.peak_flops(dtype)

    @functools.cached_property
    def peaks(self) -> Peaks:
        """Measured peaks of the workers' cores or GPU."""
        on_cpu = self.machine.kind == "cpu"
        flops_per_s = self.product_speed if on_cpu else self._product_speed("bfloat16")
        with lease(self.machine.devices), known_to_work():
            return Peaks(self.oracle.copy_bandwidth(CACHE_BYTES[self.machine.kind]), flops_per_s)

    def check_device(self) -> None:
        """Check that the device still works after a candidate that may have broken it.

        Raises:
            InfrastructureError: the device does not work.
        """
        with known_to_work():
            self.oracle.copy_bandwidth(PROBED_BYTES)

    def flops(self, prepared: PreparedWorkload) -> int:
        """Return the operations in one call; those that torch does not count are left out."""
        key = prepared.workload.name
        if key not in self._flops:
            with known_to_work():
                set_inputs(self.oracle, prepared, [prepared.example_inputs])
                self._flops[key] = self.oracle.flops(key, 0)
                self.oracle.states.pop(key, None)
        return self._flops[key]

    def prepare(self, workload: Workload) -> PreparedWorkload:
        """Load the workload and check that the reference is usable.

        Raises:
            InvalidReferenceError: the reference raises, returns no tensors, is not repeatable, is
                too slow, or needs more memory than the limit or than there is.
        """
        if workload.name not in self._prepared:
            source = effective_source(self.task, workload)
            path = f"reference_{len(self._prepared)}.py"
            try:
                init = self.oracle.load(
                    workload.name, self.oracle.write(path, source), "Model", CONSTRUCTOR_SEED, None
                )
                found = prepare(
                    self.oracle,
                    workload,
                    source,
                    init,
                    derived_seed(self.seed, "like"),
                    self._require_room,
                )
            except WorkerFault as fault:
                raise invalid(workload, fault) from fault
            self._prepared[workload.name] = found
        return self._prepared[workload.name]

    @property
    def memory_words(self) -> str:
        """The memory that the prepared workloads take, in a few words; one at a time is judged."""
        return max(self.needs.values(), key=sum).words

    def _require_room(self, prepared: PreparedWorkload) -> None:
        """Fit the budget to a workload; raise InvalidReferenceError if there is no room for it."""
        name, held = prepared.workload.name, prepared.state.nbytes
        if name in self.needs:
            return
        self.memory.fit(prepared.case_bytes + held)
        found = needs(self.memory, prepared, self.oracle)
        require_room(prepared, self.oracle, found)
        self.needs[name] = found
        # Both states, as constructed and perturbed, and a set of inputs.
        self.memory.take(2 * held + prepared.example_inputs.nbytes)

    def with_perturbed_weights(self, prepared: PreparedWorkload) -> PreparedWorkload:
        """Return the workload with perturbed weights; the workload itself if it has none."""
        key = prepared.workload.name
        if key not in self._perturbed:
            with known_to_work():
                self._perturbed[key] = with_perturbed_weights(
                    self.oracle, prepared, derived_seed(self.seed, "parameters")
                )
        return self._perturbed[key]

    def case(self, prepared: PreparedWorkload, seed: int, distribution: Distribution) -> Case:
        """Return inputs and expected values of one case, always the same in a run.

        A distribution that does not suit the reference, or makes it fail, gives way to its own, and
        so do moved Python numbers.
        """
        if not suits(distribution, prepared.has_integers):
            distribution = "reference"
        asked = (prepared.workload.name, prepared.has_perturbed_weights, seed, distribution)
        default = distribution, moves_numbers(distribution, seed)
        distribution, moves = self._works.get(asked, default)
        place = ("case", *asked[:3], distribution, moves)
        case: Case | None = self.memory.get(place)
        if case is None:
            drawn = derived_seed(self.seed, "case", seed)
            try:
                if moves:
                    case = self._case_with_moved_numbers(prepared, drawn, distribution)
                    moves = case is not None
                case = case or self._make_case(prepared, drawn, distribution)
            except WorkerFault as fault:
                if distribution == "reference":
                    raise invalid(prepared.workload, fault) from fault
                self._restart()
                case = self.case(prepared, seed, "reference")
                self._works[asked] = self._works[*asked[:3], "reference"]
                return case
            place = ("case", *asked[:3], distribution, moves)
            self.memory.keep(place, case, case.nbytes, Worth.CASE)
        self._works[asked] = distribution, moves
        return case

    def distribution(
        self, prepared: PreparedWorkload, seed: int, distribution: Distribution
    ) -> Distribution:
        """Return the distribution that a case has in the end."""
        if not suits(distribution, prepared.has_integers):
            return "reference"
        asked = (prepared.workload.name, prepared.has_perturbed_weights, seed, distribution)
        if asked not in self._works:
            self.case(prepared, seed, distribution)
        return self._works[asked][0]

    def _case_with_moved_numbers(
        self, prepared: PreparedWorkload, seed: int, distribution: Distribution
    ) -> Case | None:
        """Return a case with other Python numbers; None where they are none, or can't be others.

        Where the reference fails with other numbers, or only with these returns what is not finite
        (a root of a negative number), they stay for the rest of the run.
        """
        key, like = prepared.workload.name, prepared.example_inputs
        if key in self._fixed_numbers or same_tree(with_moved_numbers(like, seed), like):
            return None
        try:
            case = self._make_case(prepared, seed, distribution, moves=True)
        except WorkerFault:
            self._restart()
            case = None
        works = case is not None and (
            is_finite(case.expected.values)
            or not is_finite(self._make_case(prepared, seed, distribution).expected.values)
        )
        if not works:
            self._fixed_numbers.add(key)
        return case if works else None

    def fresh_case(self, prepared: PreparedWorkload, distribution: Distribution) -> Case:
        """Make a case that no worker has seen, of a distribution that worked before; not kept."""
        with known_to_work():
            return self._make_case(prepared, secrets.randbits(SEED_BITS), distribution)

    def _restart(self) -> None:
        """Start a new oracle, after values of another distribution made the last one fail."""
        workloads = [prepared.workload for prepared in self._prepared.values()]
        self._end_oracle()
        for workload in workloads:
            self.prepare(workload)

    def _make_case(
        self,
        prepared: PreparedWorkload,
        seed: int,
        distribution: Distribution,
        moves: bool = False,
    ) -> Case:
        made = self.oracle.make_inputs(prepared.workload.name, seed)
        if not prepared.fits(made):
            message = "get_inputs() returns other shapes, types or numbers at every call"
            raise InvalidReferenceError(message, hint="vary the values only")
        inputs = distribute(made, distribution, seed)
        if moves:
            inputs = with_moved_numbers(inputs, seed)
        called_with = derived_seed(seed, "call")
        expected = expect(self.oracle, prepared, Call(inputs, called_with))
        return Case(called_with, distribution, inputs, expected)

    def expect(
        self,
        prepared: PreparedWorkload,
        *calls: Call,
        place: tuple[int, int] | None = None,
    ) -> Expected:
        """Return the expected values of the last of some calls.

        Args:
            place: buffer and slot of its inputs, under which the values are kept; None: not kept.
        """
        key = "expected", prepared.workload.name, prepared.has_perturbed_weights, place
        expected: Expected | None = self.memory.get(key)
        if expected is None:
            with known_to_work():
                expected = expect(self.oracle, prepared, *calls)
            if place:
                self.memory.keep(key, expected, expected.nbytes, Worth.EXPECTED)
        return expected

    def conditioning(
        self, prepared: PreparedWorkload, calls: Sequence[Call], exact: TensorTree
    ) -> TensorTree:
        """Return how far golden values move with rounded inputs; see `oracle.conditioning`."""
        with known_to_work():
            return conditioning(self.oracle, prepared, calls, exact)

    def input_buffer(self, pool: InputPool, number: int, sets: int | None = None) -> InputBuffer:
        """Return the buffer of one timed round, with at least `sets` sets (all by default)."""
        with known_to_work():
            return pool.buffer(number, self.oracle, sets)

    def single_call_buffers(self, pool: InputPool, number: int, most: int) -> list[InputBuffer]:
        """Return up to `most` sets of a buffer, each in a buffer of its own."""
        with known_to_work():
            return pool.single_call_buffers(number, most, self.oracle)

    def input_pool(self, prepared: PreparedWorkload, nbytes: int) -> InputPool:
        """Return the input pool of timed rounds, with buffers of about so many bytes."""
        key = prepared.workload.name, nbytes
        if key not in self._pools:
            nbytes = max(nbytes, TIMES_L2 * self.oracle.l2_bytes)
            self._pools[key] = InputPool(prepared, self.seed, nbytes, self.memory)
        return self._pools[key]

    def baseline(self, prepared: PreparedWorkload, baseline: Baseline) -> WorkerClient | None:
        """Return a baseline's worker with the workload loaded; None if it does not compile."""
        key = (baseline, prepared.workload.name)
        if key not in self._loaded:
            try:
                self._load(prepared, baseline)
                self._loaded[key] = True
            except WorkerFault as fault:
                if baseline == "eager":
                    raise invalid(prepared.workload, fault) from fault
                self._end(baseline)
                self._loaded[key] = False
        return self._baselines[baseline] if self._loaded[key] else None

    @property
    def eager_has_run(self) -> bool:
        """Whether the present worker of eager's has run anything."""
        eager = self._baselines.get("eager")
        return eager is not None and eager.has_run

    def renew(self) -> None:
        """Replace eager's worker by a fresh one, unless it has not run yet.

        An older worker has other memory, which is worth several percent in either direction.
        """
        if "eager" not in self._baselines or self.eager_has_run:
            self._spare = self._spare or self._new_eager()
        if self.eager_has_run:
            self._end("eager")

    def _load(self, prepared: PreparedWorkload, baseline: Baseline) -> None:
        if baseline not in self._baselines:
            is_eager = baseline == "eager"
            self._baselines[baseline] = (
                self._start_eager() if is_eager else self._start(COMPILE_TIMEOUT_S)
            )
        client, key = self._baselines[baseline], prepared.workload.name
        path = client.write(f"reference_{len(self._loaded)}.py", prepared.source)
        client.load(key, path, "Model", CONSTRUCTOR_SEED, prepared.init)
        client.set_state(key, prepared.state)
        if baseline == "compile":
            client.compile(key, {})
            run_once(client, prepared, [prepared.example_inputs])
