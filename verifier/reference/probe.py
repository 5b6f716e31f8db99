"""The traits of a reference, found by running it a few times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import Workload
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.verifier.reference.workload import PreparedWorkload, ReferenceTraits
from kernelwright.verifier.tolerance import compare
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.input_buffers import InputBuffer, overwrites
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.outputs import RunReply, overlapping, overlaps_itself
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_bits, specs


def prepare(
    oracle: Instance,
    kind: TaskKind,
    workload: Workload,
    source: str,
    seed: int,
    require_room: Callable[[PreparedWorkload], None],
) -> PreparedWorkload:
    """Run a loaded workload a few times to find its traits.

    Args:
        require_room: called once sizes are known, before results are fetched; raises if there is
            too little memory for them.

    Raises:
        InvalidReferenceError: it takes or returns no tensors, or is not repeatable.
        WorkerFault: the reference fails.
    """
    state = oracle.state()
    inputs = oracle.make_inputs(seed)
    if not inputs.tensors:
        raise InvalidReferenceError(
            "get_inputs() returns no tensor", hint="it must return a list with tensors"
        )
    empty = ReferenceTraits()
    bare = PreparedWorkload(
        kind, workload, source, oracle.init, state, False, inputs, [], [], empty
    )
    ran, buffer = _run(oracle, bare, [inputs, inputs], seed)
    found = [Spec(getattr(torch, entry["dtype"]), tuple(entry["shape"])) for entry in ran.entries]
    if not found:
        raise InvalidReferenceError(
            "forward() returns no tensor", hint="it must return a tensor, or some in a tuple"
        )
    if not any(math.prod(spec.shape) for spec in found):
        raise InvalidReferenceError(
            "forward() returns empty tensors: there is nothing to compare",
            hint="give it larger sizes",
        )
    require_room(bare._replace(specs=found))
    left = overwrites(buffer, oracle.client.process.shared, [0])
    uses_rng, mutates_state = oracle.uses_rng(0), not same_bits(state, oracle.state())
    traits = ReferenceTraits(
        uses_rng=uses_rng,
        mutates_state=mutates_state,
        changes_inputs=bool(left.inputs),
        reuses_memory=overlapping(ran),
        overlaps_itself=any(map(overlaps_itself, ran.entries)),
        returns_inputs=returns_inputs(oracle, ran, buffer, [0]),
    )
    del buffer  # another one is made below
    oracle.set_state(state)
    known = bare._replace(
        specs=found, strides=[entry["strides"] for entry in ran.entries], traits=traits
    )
    again = _observed(oracle, known, [inputs, inputs], seed)
    depends_on_history = traits.mutates_state and (
        not _alike(again[0], again[1]) or _remembers(oracle, known, seed)
    )
    oracle.set_state(state)
    del again[1]
    other = _observed(oracle, known, [inputs], seed)
    oracle.set_state(state)
    if not _alike(again[0], other[0]):
        raise InvalidReferenceError(
            "the reference is not repeatable: same inputs and same torch seed, other outputs",
            hint="draw random numbers from torch only, and none from time or global state",
        )
    return known._replace(traits=traits._replace(depends_on_history=depends_on_history))


def _remembers(oracle: Instance, prepared: PreparedWorkload, seed: int) -> bool:
    """Return whether a call on other inputs changes the next one's result.

    The mean of all calls is the same after one call as after two on the same inputs.
    """
    inputs = prepared.example_inputs
    others = oracle.make_inputs(seed + 1)
    if not prepared.fits(others):
        return False  # which the first case refuses
    results = []
    for sets in ([inputs], [others, inputs]):
        oracle.set_state(prepared.state)
        results.append(_observed(oracle, prepared, sets, seed)[-1])
    return not _alike(*results)


def _run(
    oracle: Instance, prepared: PreparedWorkload, sets: Sequence[TensorTree], seed: int
) -> tuple[RunReply, InputBuffer]:
    buffer = prepared.input_buffer(sets)
    oracle.set_inputs(buffer)
    seeds = [seed] * len(sets) if prepared.traits.uses_rng else None
    return oracle.run(range(len(sets)), seeds), buffer


def _observed(
    oracle: Instance, prepared: PreparedWorkload, sets: Sequence[TensorTree], seed: int
) -> list[TensorTree]:
    ran, _buffer = _run(oracle, prepared, sets, seed)
    return [oracle.result(ran, call) for call in range(len(sets))]


def returns_inputs(
    instance: Instance, ran: RunReply, buffer: InputBuffer, calls: Sequence[int]
) -> bool:
    """Return whether a result of these calls changes when all inputs' memory is written to."""
    before = [instance.result(ran, call) for call in calls]
    buffer.write_inverted(instance.client.process.shared, len(ran.addresses))
    instance.upload(buffer.layout.nbytes)
    after = (instance.result(ran, call) for call in calls)
    return not all(map(same_bits, before, after))


def _alike(first: TensorTree, second: TensorTree) -> bool:
    if first.tree != second.tree or specs(first) != specs(second):
        return False
    pairs = zip(first.tensors, second.tensors, strict=True)
    return all(compare(a, b, None).reason is None for a, b in pairs)
