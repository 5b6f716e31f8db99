"""One workload of a live reference: cases, expected values, timed inputs, and what was measured."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import Speedup
from kernelwright.verifier.levels import Baseline, Distribution
from kernelwright.verifier.reference.baselines import Baselines
from kernelwright.verifier.reference.calls import invalid, known_to_work, load_again
from kernelwright.verifier.reference.distributions import (
    distribute,
    moves_numbers,
    suits,
    with_moved_numbers,
)
from kernelwright.verifier.reference.input_pool import InputPool
from kernelwright.verifier.reference.memory import MemoryBudget, Worth
from kernelwright.verifier.reference.oracle import conditioning, expect, with_perturbed_weights
from kernelwright.verifier.reference.oracle_worker import OracleWorker
from kernelwright.verifier.reference.seeds import SEED_BITS, derived_seed
from kernelwright.verifier.reference.workload import Call, Case, Expected, PreparedWorkload
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.tensor_tree import TensorTree, is_finite, same_tree

# Inputs of a round take so many times a GPU's last cache, so that few of them are still there.
TIMES_L2 = 4


class Parts(NamedTuple):
    """The parts that the workloads of one reference share."""

    seed: int
    """Secret from which the seeds of all inputs are derived."""
    memory: MemoryBudget
    oracle: OracleWorker
    baselines: Baselines


class LiveWorkload:
    """A prepared workload, and the workers of its reference that answer questions about it.

    Args:
        instance: its instance in the oracle's worker.
    """

    def __init__(self, prepared: PreparedWorkload, parts: Parts, instance: Instance) -> None:
        self.prepared = prepared
        self.memory = parts.memory
        self._parts = parts
        self._instance = instance
        self._has_fixed_numbers = False
        """It can't do with other Python numbers than its own."""
        self._works: dict[tuple[bool, int, Distribution], tuple[Distribution, bool]] = {}
        """The distribution that each case came to have, and whether its Python numbers moved."""
        self._iterations: dict[tuple[Baseline, float], int | None] = {}
        self._pools: dict[int, InputPool] = {}
        self.compile_speedup: Speedup | None = None
        """Speedup of torch.compile over eager, once it was timed in this run."""

    @property
    def name(self) -> str:
        """The workload's name."""
        return self.prepared.workload.name

    @property
    def instance(self) -> Instance:
        """The oracle's instance; built again if the oracle's worker is a new one.

        Raises:
            InfrastructureError: the reference does not load again.
        """
        with known_to_work():
            if self._instance.client is not self._parts.oracle.client:
                self._instance = load_again(self._parts.oracle.client, self.prepared)
        return self._instance

    @functools.cached_property
    def perturbed(self) -> PreparedWorkload:
        """The workload with perturbed weights; the workload itself if it has none."""
        with known_to_work():
            seed = derived_seed(self._parts.seed, "parameters")
            return with_perturbed_weights(self.instance, self.prepared, seed)

    @functools.cached_property
    def flops(self) -> int:
        """Operations in one call; those that torch does not count are left out."""
        with known_to_work():
            self.instance.set_inputs(self.prepared.input_buffer([self.prepared.example_inputs]))
            return self.instance.flops(0)

    def baseline(self, baseline: Baseline) -> Instance | None:
        """Return a baseline's instance with perturbed weights; see `Baselines.instance`."""
        return self._parts.baselines.instance(self.perturbed, baseline)

    def compile_ahead(self) -> None:
        """Start torch.compile of the workload, beside what comes before times are taken."""
        self._parts.baselines.compile_ahead(self.perturbed)

    def iterations(
        self, baseline: Baseline, round_s: float, measure: Callable[[Instance], int]
    ) -> int | None:
        """Return how many calls of a baseline fill a round of so many seconds.

        Args:
            measure: measures them, which is done once a run.

        Returns:
            None if the baseline does not compile.
        """
        key = baseline, round_s
        if key not in self._iterations:
            instance = self.baseline(baseline)
            self._iterations[key] = None if instance is None else measure(instance)
        return self._iterations[key]

    def note_compile_speedup(self, found: Speedup | None) -> None:
        """Keep the first speedup of torch.compile over eager that was measured in this run."""
        self.compile_speedup = self.compile_speedup or found

    def input_pool(self, nbytes: int) -> InputPool:
        """Return the input pool of timed rounds, with buffers of about so many bytes."""
        if nbytes not in self._pools:
            least = TIMES_L2 * self._parts.oracle.client.l2_bytes
            self._pools[nbytes] = InputPool(
                self.prepared,
                self._parts.seed,
                max(nbytes, least),
                self.memory,
                lambda: self.instance,
            )
        return self._pools[nbytes]

    def case(self, prepared: PreparedWorkload, seed: int, distribution: Distribution) -> Case:
        """Return inputs and expected values of one case, always the same in a run.

        A distribution that does not suit the reference, or makes it fail, gives way to its own, and
        so do moved Python numbers.

        Args:
            prepared: this workload with the parameters in question.
        """
        if not suits(distribution, prepared.has_integers):
            distribution = "reference"
        asked = prepared.has_perturbed_weights, seed, distribution
        is_known = asked in self._works
        default = distribution, moves_numbers(distribution, seed)
        distribution, moves = self._works.get(asked, default)
        place = ("case", self.name, *asked[:2], distribution, moves)
        case: Case | None = self.memory.get(place)
        if case is None:
            drawn = derived_seed(self._parts.seed, "case", seed)
            try:
                if moves and not is_known:
                    case = self._case_with_moved_numbers(prepared, drawn, distribution)
                    moves = case is not None
                case = case or self._make_case(prepared, drawn, distribution, moves)
            except WorkerFault as fault:
                self._parts.oracle.end()
                if distribution == "reference":
                    raise invalid(prepared.workload, fault) from fault
                case = self.case(prepared, seed, "reference")
                self._works[asked] = self._works[*asked[:2], "reference"]
                return case
            place = ("case", self.name, *asked[:2], distribution, moves)
            self.memory.keep(place, case, case.nbytes, Worth.CASE)
        self._works[asked] = distribution, moves
        return case

    def distribution(
        self, prepared: PreparedWorkload, seed: int, distribution: Distribution
    ) -> Distribution:
        """Return the distribution that a case has in the end."""
        if not suits(distribution, prepared.has_integers):
            return "reference"
        asked = prepared.has_perturbed_weights, seed, distribution
        if asked not in self._works:
            self.case(prepared, seed, distribution)
        return self._works[asked][0]

    def _case_with_moved_numbers(
        self, prepared: PreparedWorkload, seed: int, distribution: Distribution
    ) -> Case | None:
        """Return a case with other Python numbers; None where there are none, or they must stay.

        Where the reference fails with other numbers, or only with these returns what is not finite
        (a root of a negative number), they stay for the rest of the run.
        """
        like = prepared.example_inputs
        if self._has_fixed_numbers or same_tree(with_moved_numbers(like, seed), like):
            return None
        try:
            case = self._make_case(prepared, seed, distribution, moves=True)
        except WorkerFault:
            self._parts.oracle.end()
            case = None
        works = case is not None and (
            is_finite(case.expected.values)
            or not is_finite(self._make_case(prepared, seed, distribution).expected.values)
        )
        self._has_fixed_numbers = not works
        return case if works else None

    def fresh_case(self, prepared: PreparedWorkload, distribution: Distribution) -> Case:
        """Make a case that no worker has seen, of a distribution that worked before; not kept."""
        with known_to_work():
            return self._make_case(prepared, secrets.randbits(SEED_BITS), distribution)

    def _make_case(
        self,
        prepared: PreparedWorkload,
        seed: int,
        distribution: Distribution,
        moves: bool = False,
    ) -> Case:
        made = self.instance.make_inputs(seed)
        if not prepared.fits(made):
            message = "get_inputs() returns other shapes, types or numbers at every call"
            raise InvalidReferenceError(message, hint="vary the values only")
        inputs = distribute(made, distribution, seed)
        if moves:
            inputs = with_moved_numbers(inputs, seed)
        called_with = derived_seed(seed, "call")
        expected = expect(self.instance, prepared, Call(inputs, called_with))
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
        key = "expected", self.name, prepared.has_perturbed_weights, place
        expected: Expected | None = self.memory.get(key)
        if expected is None:
            with known_to_work():
                expected = expect(self.instance, prepared, *calls)
            if place:
                self.memory.keep(key, expected, expected.nbytes, Worth.EXPECTED)
        return expected

    def conditioning(
        self, prepared: PreparedWorkload, calls: Sequence[Call], exact: TensorTree
    ) -> TensorTree:
        """Return how far golden values move with rounded inputs; see `oracle.conditioning`."""
        with known_to_work():
            return conditioning(self.instance, prepared, calls, exact)
