"""The oracle: the reference's values on given inputs, in its own precision and in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.verifier.reference.distributions import perturbed
from kernelwright.verifier.reference.workload import Call, Expected, PreparedWorkload
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.input_buffers import InputBuffer
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.pieces import pieces
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed

# How often inputs are moved within their rounding, as once may happen to change nothing. Each of
# many ties has to break either way in one of these.
PERTURBATIONS, PERTURBATIONS_OF_TIES = 5, 16


def conditioning(
    oracle: Instance,
    prepared: PreparedWorkload,
    calls: Sequence[Call],
    exact: TensorTree,
) -> TensorTree:
    """Return how far each golden value moves when inputs move by less than one rounding.

    The distance is large where a result is badly conditioned, as where two logits nearly tie: there
    the reference's own error is a matter of luck. For integers (an index among ties) return all
    values that they become, stacked in a new first dimension.

    Args:
        exact: the golden values.
    """
    slots, seed = range(len(calls)), calls[0].seed
    _set_inputs(oracle, prepared, calls)
    found = list(map(_Displacement, exact.tensors))
    for perturb_seed in range(PERTURBATIONS_OF_TIES if prepared.has_integers else PERTURBATIONS):
        other = oracle.golden(slots, seed, perturb_seed)
        if isinstance(other, TensorTree) and _fits(other, exact):
            _clamp(other, prepared.specs)
            for displacement, tensor in zip(found, other.tensors, strict=True):
                displacement.add(tensor)
        del other  # it may be large
    return TensorTree(exact.tree, [displacement.value for displacement in found])


def _set_inputs(oracle: Instance, prepared: PreparedWorkload, calls: Sequence[Call]) -> InputBuffer:
    """Set the instance's parameters, stage the inputs of some calls, and return their buffer."""
    has_it = oracle.state_set is prepared.state and not prepared.traits.mutates_state
    if prepared.state.tensors and not has_it:
        oracle.set_state(prepared.state)
    buffer = prepared.input_buffer([call.inputs for call in calls])
    oracle.set_inputs(buffer)
    return buffer


class _Displacement:
    """Each element's largest distance from others that come one by one; of integers, all values."""

    def __init__(self, exact: torch.Tensor) -> None:
        self._exact = exact
        self._is_exact = not (exact.is_floating_point() or exact.is_complex())
        self._found: list[torch.Tensor] = [exact] if self._is_exact else []

    def add(self, other: torch.Tensor) -> None:
        """Add another value of each element, whose memory may be written to."""
        if self._is_exact:
            self._found.append(other)
            return
        other.sub_(self._exact)
        distance = other.abs() if other.is_complex() else other.abs_()
        distance.nan_to_num_(nan=0.0, posinf=0.0)
        if self._found:
            torch.maximum(self._found[0], distance, out=self._found[0])
        else:
            self._found = [distance]

    @property
    def value(self) -> torch.Tensor:
        """The distances, or all values in a new first dimension."""
        if self._is_exact:
            return torch.stack(self._found)
        return self._found[0] if self._found else torch.zeros_like(self._exact.abs())


def expect(oracle: Instance, prepared: PreparedWorkload, *calls: Call) -> Expected:
    """Return the reference's values in the last of some calls; the first has the prepared state.

    Raises:
        WorkerFault: the reference fails on these inputs.
    """
    traits, slots = prepared.traits, range(len(calls))
    buffer = _set_inputs(oracle, prepared, calls)
    golden = None if traits.uses_rng else oracle.golden(slots, calls[0].seed)
    ran = oracle.run(slots, [call.seed for call in calls] if traits.uses_rng else None)
    values = oracle.result(ran, slots[-1])
    truth = None
    if isinstance(golden, TensorTree) and _fits(golden, values):
        truth = golden
        _clamp(truth, prepared.specs)
    changed = None
    if traits.changes_inputs:
        oracle.download(buffer.layout.nbytes)
        after = InputBuffer(buffer.layout)
        after.read(oracle.client.process.shared)
        changed = after.sets[-1]
    return Expected(values, truth, changed, oracle.state() if traits.mutates_state else None)


def with_perturbed_weights(
    oracle: Instance, prepared: PreparedWorkload, seed: int
) -> PreparedWorkload:
    """Return the workload with perturbed weights, as training would leave them.

    A candidate can know a constructor's parameters in advance (zeros, ones, a seed), and results
    with them. Buffers stay: they may be tables or masks that a candidate need not read. A workload
    without parameters is returned itself.
    """
    names = set(oracle.parameters())
    generator = torch.Generator().manual_seed(seed)
    state = prepared.state.unpacked()
    done: dict[object, torch.Tensor] = {}
    changed = {}
    for name, value in state.items():
        changed[name] = value
        if name in names:  # tied parameters stay equal
            changed[name] = done.setdefault(_fingerprint(value), perturbed(value, generator))
    if all(changed[name] is state[name] for name in state):
        return prepared
    return prepared._replace(state=packed(changed), has_perturbed_weights=True)


def _fingerprint(value: torch.Tensor) -> object:
    sums = [
        (float(part.sum()), float(part.square().sum()))
        for part in (value[place].double() for place in pieces(value.shape))
    ]
    return value.dtype, value.shape, tuple(sums)


def _clamp(golden: TensorTree, results: Sequence[Spec]) -> None:
    """Clamp finite golden values in place to the range of the results' types."""
    for value, spec in zip(golden.tensors, results, strict=True):
        if not value.is_floating_point() or not spec.dtype.is_floating_point:
            continue
        ends = torch.finfo(spec.dtype)
        for place in pieces(value.shape):
            piece = value[place]
            piece.copy_(torch.where(piece.isfinite(), piece.clamp(ends.min, ends.max), piece))


def _fits(golden: TensorTree, expected: TensorTree) -> bool:
    shapes = [t.shape for t in golden.tensors], [t.shape for t in expected.tensors]
    return golden.tree == expected.tree and shapes[0] == shapes[1]
