"""One workload of a reference: inputs, results and traits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from kernelwright.schema import Workload
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.verifier.levels import Distribution
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.input_buffers import InputBuffer, plan_layout
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_tree, specs


class Case(NamedTuple):
    """One correctness case: inputs and expected values."""

    seed: int
    """Seed of the call, not of the inputs: a worker can read it, and must learn nothing from it."""
    distribution: Distribution
    inputs: TensorTree
    expected: Expected
    earlier: tuple[Call, ...] = ()
    """Calls before it since the state was set, where the result depends on them."""

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return self.inputs.nbytes + self.expected.nbytes

    @property
    def calls(self) -> tuple[Call, ...]:
        """The earlier calls, and this one."""
        return *self.earlier, Call(self.inputs, self.seed)


class ReferenceTraits(NamedTuple):
    """The traits of a reference: its effects besides computing. A candidate may have the same."""

    uses_rng: bool = False
    """It draws random numbers; every call is then seeded."""
    mutates_state: bool = False
    """A call changes its parameters or buffers."""
    depends_on_history: bool = False
    """Its results depend on earlier calls."""
    changes_inputs: bool = False
    returns_inputs: bool = False
    """A result lies in the memory of an input."""
    reuses_memory: bool = False
    """The results of two calls lie in the same memory."""
    overlaps_itself: bool = False
    """Elements of one result lie at the same address."""


class PreparedWorkload(NamedTuple):
    """One workload, loaded and run."""

    kind: TaskKind
    """Kind of the task."""
    workload: Workload
    source: str
    init: TensorTree
    state: TensorTree
    """Parameters and buffers in every call that is judged."""
    has_perturbed_weights: bool
    """`state` is not what the constructor makes; results computed in advance for that are wrong."""
    example_inputs: TensorTree
    """One set of inputs."""
    specs: list[Spec]
    strides: list[list[int]]
    """Strides of each result."""
    traits: ReferenceTraits

    @property
    def has_integers(self) -> bool:
        """Whether a result is not of a floating type."""
        return any(not spec.dtype.is_floating_point for spec in self.specs)

    @property
    def result_bytes(self) -> int:
        """Bytes of all results of one call."""
        return sum(spec.dtype.itemsize * math.prod(spec.shape) for spec in self.specs)

    @property
    def call_bytes(self) -> int:
        """Bytes of the inputs and the results of one call."""
        return self.example_inputs.nbytes + self.result_bytes

    @property
    def case_bytes(self) -> int:
        """Bytes of a case: what a call takes, results in float64, and what a call changes."""
        wide = sum(_wide_itemsize(spec.dtype) * math.prod(spec.shape) for spec in self.specs)
        inputs = self.example_inputs.nbytes if self.traits.changes_inputs else 0
        state = self.state.nbytes if self.traits.mutates_state else 0
        return self.call_bytes + wide + inputs + state

    def fits(self, inputs: TensorTree) -> bool:
        """Return whether inputs have the form of `example_inputs`."""
        return same_tree(inputs, self.example_inputs) and specs(inputs) == specs(
            self.example_inputs
        )

    def input_buffer(self, sets: Sequence[TensorTree]) -> InputBuffer:
        """Return a buffer with some input sets, as they lie in shared memory.

        All have the same Python numbers, which may differ from those of `example_inputs`.
        """
        like = self.example_inputs._replace(tree=sets[0].tree)
        buffer = InputBuffer(plan_layout(like, len(sets)))
        for slot, values in enumerate(sets):
            buffer.put(slot, values)
        return buffer


class Call(NamedTuple):
    """The inputs and the seed of a call."""

    inputs: TensorTree
    seed: int
    """Seed of torch."""


class Expected(NamedTuple):
    """The reference's values on some inputs."""

    values: TensorTree
    golden: TensorTree | None
    """Values in float64; None if the reference does not run in it, or draws random numbers."""
    inputs: TensorTree | None
    """The inputs after the call, if the reference changes them."""
    state: TensorTree | None
    """Parameters and buffers after the call, if the reference changes them."""

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tree.nbytes for tree in self if tree is not None)


def _wide_itemsize(dtype: torch.dtype) -> int:
    """Return the bytes of an element in the widest type of its kind."""
    return 16 if dtype.is_complex else 8
