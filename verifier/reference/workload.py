"""One workload of a reference: what it is given, what it returns, and its traits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kernelwright.schema import Workload
from kernelwright.verifier.levels import Distribution
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.input_buffers import InputBuffer, plan_layout
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_tree, specs


class Case(NamedTuple):
    """One correctness case with everything the judge holds about it."""

    seed: int
    """Of the call, not of the inputs: a worker can read it, and must learn nothing from it."""
    distribution: Distribution
    inputs: TensorTree
    expected: Expected
    earlier: tuple[Call, ...] = ()
    """Those before it since its state was set, where they matter."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The same with this one."""
        return *self.earlier, Call(self.inputs, self.seed)


class ReferenceTraits(NamedTuple):
    """What the reference does besides computing; a candidate may do the same."""

    uses_rng: bool = False
    """It draws random numbers; every call is then seeded."""
    mutates_state: bool = False
    """A call changes its parameters or buffers."""
    depends_on_history: bool = False
    """What it returns depends on earlier calls."""
    changes_inputs: bool = False
    returns_inputs: bool = False
    """A result lies in the memory of an input."""
    reuses_memory: bool = False
    """The results of two calls lie in the same memory."""
    overlaps_itself: bool = False
    """Elements of one result lie at the same address."""


class PreparedWorkload(NamedTuple):
    """One workload, loaded."""

    workload: Workload
    source: str
    init: TensorTree
    state: TensorTree
    """Parameters and buffers in every call that is judged."""
    has_perturbed_weights: bool
    """`state` is not what the constructor makes: what was computed in advance for that is wrong."""
    example_inputs: TensorTree
    """Some inputs."""
    specs: list[Spec]
    strides: list[list[int]]
    """Of each result."""
    traits: ReferenceTraits

    @property
    def has_integers(self) -> bool:
        """Whether a result is of no floating type."""
        return any(not spec.dtype.is_floating_point for spec in self.specs)

    @property
    def result_bytes(self) -> int:
        """Of all results of one call."""
        return sum(spec.dtype.itemsize * math.prod(spec.shape) for spec in self.specs)

    def fits(self, inputs: TensorTree) -> bool:
        """Whether other inputs are of the same form."""
        return same_tree(inputs, self.example_inputs) and specs(inputs) == specs(
            self.example_inputs
        )

    def input_buffer(self, sets: Sequence[TensorTree]) -> InputBuffer:
        """Input sets as they lie in shared memory."""
        buffer = InputBuffer(plan_layout(self.example_inputs, len(sets)))
        for slot, values in enumerate(sets):
            buffer.put(slot, values)
        return buffer


class Call(NamedTuple):
    """What a call is given."""

    inputs: TensorTree
    seed: int
    """Of torch."""


class Expected(NamedTuple):
    """The reference's values on some inputs."""

    values: TensorTree
    golden: TensorTree | None
    """In float64; None where the reference does not run in it, or draws random numbers."""
    inputs: TensorTree | None
    """What became of the inputs, where the reference changes them."""
    state: TensorTree | None
    """What became of parameters and buffers, where the reference changes them."""
