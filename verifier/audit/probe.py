"""A task's reference on one workload, as the audit runs it."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch

from kernelwright.schema import ToleranceName, Workload
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.audit.tensors import differ, finite_count
from kernelwright.verifier.reference.calls import load_reference
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.oracle import expect
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.seeds import derived_seed
from kernelwright.verifier.reference.workload import Call, Expected
from kernelwright.verifier.tolerance import compare
from kernelwright.verifier.worker.input_buffers import InputBuffer, plan_layout
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed, same_bits, specs

SAMPLES = 3
ROUNDS, ROUND_S, ROUND_CALLS, ROUND_BYTES = 5, 0.002, 200, 64 * 2**20
# Rounds of a single call that takes longer than a round should; the first of all is cold.
LONG_ROUNDS = 3
EMPTY_WORKLOAD = Workload(name="audit/empty")
EMPTY = f"""import torch
class {MODULE.reference}(torch.nn.Module):
    def forward(self, x):
        return torch.neg(x)
"""


class Sample(NamedTuple):
    """The reference on one set of its own inputs."""

    inputs: TensorTree
    expected: Expected


class Result(NamedTuple):
    """One tensor that has to be right, on every sample."""

    name: str
    output: int | None
    """Its index among the outputs; None for an input that the reference changes."""
    values: list[torch.Tensor]
    goldens: list[torch.Tensor | None]


class WorkloadProbe:
    """One prepared workload as the rules see it; what costs calls is made when it is asked for.

    Raises:
        WorkerFault: from every property, where the reference fails.
    """

    def __init__(self, reference: Reference, live: LiveWorkload, tolerance: ToleranceName) -> None:
        self.reference = reference
        self.live = live
        self.prepared = live.prepared
        self.tolerance = tolerance
        # The same for all samples: other random numbers are no reaction to the inputs.
        self.seed = derived_seed(reference.seed, "audited call")

    @functools.cached_property
    def drawn(self) -> list[TensorTree]:
        """Input sets of different seeds."""
        secret, oracle = self.reference.seed, self.live.instance
        seeds = [derived_seed(secret, "audited", number) for number in range(SAMPLES)]
        return [oracle.make_inputs(seed) for seed in seeds]

    @functools.cached_property
    def samples(self) -> list[Sample]:
        """The reference's values on the drawn inputs."""
        oracle, prepared = self.live.instance, self.prepared
        calls = [Call(drawn, self.seed) for drawn in self.drawn]
        return [Sample(call.inputs, expect(oracle, prepared, call)) for call in calls]

    @functools.cached_property
    def results(self) -> list[Result]:
        """Outputs, and inputs that the reference changes, where there are values to compare."""
        outputs = [_output(self.samples, index) for index in range(len(self.prepared.specs))]
        changed = [_input_left(self.samples, i) for i in _changed_inputs(self.samples[0])]
        found = [*outputs, *changed]
        return [r for r in found if all(finite_count(value) for value in r.values)]

    @functools.cached_property
    def inputs_vary(self) -> bool:
        """Whether the inputs are others for other seeds."""
        return not all(same_bits(self.drawn[0], drawn) for drawn in self.drawn[1:])

    @functools.cached_property
    def reacts(self) -> bool:
        """Whether other inputs lead to other bits, as far as can be told."""
        first, *others = (sample.expected.values for sample in self.samples)
        return not self.inputs_vary or not all(same_bits(first, other) for other in others)

    @functools.cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """Floating parameters and buffers that a call leaves as they are."""
        before = self.prepared.state.unpacked()
        expected = self.samples[0].expected.state
        after = before if expected is None else expected.unpacked()
        return {
            name: tensor
            for name, tensor in before.items()
            if tensor.is_floating_point() and tensor.numel() and not differ(tensor, after[name])
        }

    def same_result(self, inputs: TensorTree) -> bool:
        """Whether other inputs, or the weights set by now, give what sample 0 has."""
        oracle, expected = self.live.instance, self.samples[0].expected
        oracle.set_inputs(self.prepared.input_buffer([inputs]))
        seeds = [self.seed] if self.prepared.traits.uses_rng else None
        found = oracle.result(oracle.run([0], seeds), 0)
        if found.tree != expected.values.tree or specs(found) != self.prepared.specs:
            return False
        goldens = expected.golden.tensors if expected.golden else [None] * len(found.tensors)
        triples = zip(found.tensors, expected.values.tensors, goldens, strict=True)
        return all(compare(*triple).reason is None for triple in triples)

    def restore(self) -> None:
        """Set parameters and buffers back."""
        self.live.instance.set_state(self.prepared.state)

    def recover(self) -> None:
        """Start a new oracle, after one that did not survive what it is not made for."""
        self.reference.close()

    @functools.cached_property
    def call_s(self) -> float:
        """Least seconds of an eager call, in the worker that will be timed."""
        eager = self.live.baseline("eager")
        assert eager is not None  # only a compiled baseline may be missing
        eager.set_inputs(self.prepared.input_buffer([self.drawn[0]]))
        seconds = _call_s(eager, self.samples[0].expected.values.nbytes)
        if self.prepared.traits.mutates_state:
            eager.set_state(self.prepared.state)
        return seconds

    def empty_call_s(self) -> float:
        """Return the least seconds of a call of a module that negates one number."""
        client, inputs = self.live.instance.client, packed([torch.zeros(1)])
        empty = load_reference(client, MODULE, EMPTY_WORKLOAD, EMPTY, packed([]))
        buffer = InputBuffer(plan_layout(inputs, 1))
        buffer.put(0, inputs)
        empty.set_inputs(buffer)
        return _call_s(empty, 4)


def _output(samples: list[Sample], index: int) -> Result:
    goldens = [sample.expected.golden for sample in samples]
    many = len(samples[0].expected.values.tensors) > 1
    return Result(
        f"output {index}" if many else "the output",
        index,
        [sample.expected.values.tensors[index] for sample in samples],
        [None if golden is None else golden.tensors[index] for golden in goldens],
    )


def _input_left(samples: list[Sample], index: int) -> Result:
    left = [s.expected.inputs.tensors[index] for s in samples if s.expected.inputs is not None]
    return Result(f"input {index} after the call", None, left, [None] * len(left))


def _changed_inputs(sample: Sample) -> list[int]:
    if sample.expected.inputs is None:
        return []
    pairs = zip(sample.inputs.tensors, sample.expected.inputs.tensors, strict=True)
    return [index for index, pair in enumerate(pairs) if differ(*pair)]


def _call_s(instance: Instance, nbytes: int) -> float:
    """Return the least seconds of some rounds: what disturbs a call, and a cold one, only adds."""
    most = max(1, min(ROUND_CALLS, ROUND_BYTES // max(1, nbytes)))
    calls, least = 1, math.inf
    for number in range(ROUNDS):
        least = min(least, instance.run([0] * calls).worker_seconds / calls)
        calls = max(1, min(most, math.ceil(ROUND_S / max(least, 1e-9))))
        if number + 1 >= LONG_ROUNDS and least >= ROUND_S:
            break
    instance.drop()
    return least
