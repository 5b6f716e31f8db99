"""What a reference does: its nature, found once per workload, and its values on given inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import Workload
from kernelwright.verifier.comparison import compare
from kernelwright.verifier.inputs import moved
from kernelwright.verifier.worker.client import RemoteModule
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.input_buffers import Image, plan_layout, trace
from kernelwright.verifier.worker.outputs import Ran, overlapping, overlaps_itself
from kernelwright.verifier.worker.tensor_tree import Values, packed, same_bits, same_tree, specs

# Times that inputs are moved within their rounding; once may happen to change nothing. Each of many
# ties has to break either way in one of them.
SHAKES, SHAKES_OF_TIES = 5, 16


class Nature(NamedTuple):
    """What the reference does besides computing; a candidate may do the same."""

    draws: bool = False
    """It draws random numbers; every call is then seeded."""
    stateful: bool = False
    """A call changes its parameters or buffers."""
    remembers: bool = False
    """What it returns depends on earlier calls."""
    changes_inputs: bool = False
    returns_inputs: bool = False
    """A result lies in the memory of an input."""
    reuses_memory: bool = False
    """The results of two calls lie in the same memory."""
    overlaps_itself: bool = False
    """Elements of one result lie at the same address."""


class Prepared(NamedTuple):
    """One workload, loaded."""

    workload: Workload
    source: str
    init: Values
    state: Values
    """Parameters and buffers in every call that is judged."""
    trained: bool
    """`state` is not what the constructor makes: what was computed in advance for that is wrong."""
    like: Values
    """Some inputs."""
    specs: list[Spec]
    strides: list[list[int]]
    """Of each result."""
    nature: Nature

    @property
    def has_integers(self) -> bool:
        """Whether a result is of no floating type."""
        return any(not spec.dtype.is_floating_point for spec in self.specs)

    @property
    def result_bytes(self) -> int:
        """Of all results of one call."""
        return sum(spec.dtype.itemsize * math.prod(spec.shape) for spec in self.specs)

    def fits(self, inputs: Values) -> bool:
        """Whether other inputs are of the same form."""
        return same_tree(inputs, self.like) and specs(inputs) == specs(self.like)

    def image(self, sets: Sequence[Values]) -> Image:
        """Input sets as they lie in shared memory."""
        image = Image(plan_layout(self.like, len(sets)))
        for slot, values in enumerate(sets):
            image.put(slot, values)
        return image


class Call(NamedTuple):
    """What a call is given."""

    inputs: Values
    seed: int
    """Of torch."""


class Expected(NamedTuple):
    """The reference's values on some inputs."""

    values: Values
    golden: Values | None
    """In float64; None where the reference does not run in it, or draws random numbers."""
    inputs: Values | None
    """What became of the inputs, where the reference changes them."""
    state: Values | None
    """What became of parameters and buffers, where the reference changes them."""


def prepare(
    oracle: RemoteModule, workload: Workload, source: str, init: Values, seed: int
) -> Prepared:
    """Run a loaded workload a few times to find its nature.

    Raises:
        InvalidReferenceError: it has no tensors to show, or is not repeatable.
        WorkerFault: it fails.
    """
    key = workload.name
    state = oracle.state(key)
    inputs = oracle.make_inputs(key, seed)
    if not inputs.tensors:
        raise InvalidReferenceError(
            "get_inputs() returns no tensor", hint="it must return a list with tensors"
        )
    empty = Nature()
    bare = Prepared(workload, source, init, state, False, inputs, [], [], empty)
    ran, first, image = _observed(oracle, bare, [inputs, inputs], seed)
    if not first[0].tensors:
        raise InvalidReferenceError(
            "forward() returns no tensor", hint="it must return a tensor, or some in a tuple"
        )
    if not any(tensor.numel() for tensor in first[0].tensors):
        raise InvalidReferenceError(
            "forward() returns empty tensors: there is nothing to compare",
            hint="give it larger sizes",
        )
    left = trace(image, oracle.process.shared, [0])
    draws, stateful = oracle.draws(key, 0), not same_bits(state, oracle.state(key))
    nature = Nature(
        draws=draws,
        stateful=stateful,
        changes_inputs=bool(left.inputs),
        reuses_memory=overlapping(ran),
        overlaps_itself=any(map(overlaps_itself, ran.entries)),
        returns_inputs=returns_inputs(oracle, key, ran, image, [0]),
    )
    oracle.set_state(key, state)
    known = bare._replace(
        specs=specs(first[0]), strides=[entry["strides"] for entry in ran.entries], nature=nature
    )
    _, again, _ = _observed(oracle, known, [inputs, inputs], seed)
    remembers = nature.stateful and not _alike(again[0], again[1])
    oracle.set_state(key, state)
    _, other, _ = _observed(oracle, known, [inputs], seed)
    oracle.set_state(key, state)
    if not _alike(again[0], other[0]):
        raise InvalidReferenceError(
            "the reference is not repeatable: same inputs and same torch seed, other outputs",
            hint="draw random numbers from torch only, and none from time or global state",
        )
    return known._replace(nature=nature._replace(remembers=remembers))


def _observed(
    oracle: RemoteModule, prepared: Prepared, sets: Sequence[Values], seed: int
) -> tuple[Ran, list[Values], Image]:
    key, image = prepared.workload.name, prepared.image(sets)
    oracle.show(key, image)
    seeds = [seed] * len(sets) if prepared.nature.draws else None
    ran = oracle.run(key, range(len(sets)), seeds)
    return ran, [oracle.result(key, ran, call) for call in range(len(sets))], image


def returns_inputs(
    module: RemoteModule, key: str, ran: Ran, image: Image, calls: Sequence[int]
) -> bool:
    """Whether the result of one of these calls changes when all inputs' memory is written to."""
    before = [module.result(key, ran, call) for call in calls]
    image.write_inverted(module.process.shared, len(ran.addresses))
    module.upload(key, image.layout.nbytes)
    after = (module.result(key, ran, call) for call in calls)
    return not all(map(same_bits, before, after))


def _give(oracle: RemoteModule, prepared: Prepared, calls: Sequence[Call]) -> Image:
    """Parameters, and inputs by call."""
    key = prepared.workload.name
    if prepared.state.tensors and oracle.states.get(key) is not prepared.state:
        oracle.set_state(key, prepared.state)
    if not prepared.nature.stateful:
        oracle.states[key] = prepared.state
    image = prepared.image([call.inputs for call in calls])
    oracle.show(key, image)
    return image


def rounding(oracle: RemoteModule, prepared: Prepared, calls: Sequence[Call]) -> Values | None:
    """How far each golden value moves when the inputs do, by less than one rounding of their type.

    Large where a result is badly conditioned, as where two logits nearly tie: there the reference's
    own error is a matter of luck. Of integers (an index among ties), all that they become, in a
    dimension of their own in front. None where there is no golden value.
    """
    key, slots, seed = prepared.workload.name, range(len(calls)), calls[0].seed
    _give(oracle, prepared, calls)
    shakes = range(SHAKES_OF_TIES if prepared.has_integers else SHAKES)
    exact, *others = [oracle.golden(key, slots, seed, shake) for shake in (None, *shakes)]
    if not isinstance(exact, Values):
        return None
    fitting = [o for o in others if isinstance(o, Values) and _fits(o, exact)] or [exact]
    exact, *fitting = (_within(found, prepared.specs) for found in (exact, *fitting))
    columns = zip(exact.tensors, *(other.tensors for other in fitting), strict=True)
    return Values(exact.tree, [_moves(*column) for column in columns])


def _moves(exact: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """The largest distance of each element from the others; of integers, all of them."""
    if not (exact.is_floating_point() or exact.is_complex()):
        return torch.stack([exact, *others])
    distances = [(exact - other).abs().nan_to_num(nan=0.0, posinf=0.0) for other in others]
    return torch.stack(distances).amax(0)


def expect(oracle: RemoteModule, prepared: Prepared, *calls: Call) -> Expected:
    """The reference's values in the last of some calls, the first with its state as prepared.

    Raises:
        WorkerFault: it fails on these inputs.
    """
    key, nature, slots = prepared.workload.name, prepared.nature, range(len(calls))
    image = _give(oracle, prepared, calls)
    golden = None if nature.draws else oracle.golden(key, slots, calls[0].seed)
    ran = oracle.run(key, slots, [call.seed for call in calls] if nature.draws else None)
    values = oracle.result(key, ran, slots[-1])
    truth = None
    if isinstance(golden, Values) and _fits(golden, values):
        truth = _within(golden, prepared.specs)
    changed = None
    if nature.changes_inputs:
        oracle.download(key, image.layout.nbytes)
        after = Image(image.layout)
        after.read(oracle.process.shared)
        changed = after.sets[-1]
    return Expected(values, truth, changed, oracle.state(key) if nature.stateful else None)


def trained(oracle: RemoteModule, prepared: Prepared, seed: int) -> Prepared:
    """The same workload with other parameters, as training would leave them.

    Those of a constructor can be known in advance (zeros, ones, a seed), and results with them.
    Buffers stay: they may be tables or masks that a candidate need not read.
    """
    names = set(oracle.parameters(prepared.workload.name))
    generator = torch.Generator().manual_seed(seed)
    state = prepared.state.unpacked()
    done: dict[object, torch.Tensor] = {}
    changed = {}
    for name, value in state.items():
        changed[name] = value
        if name in names:  # tied parameters stay equal
            changed[name] = done.setdefault(_fingerprint(value), moved(value, generator))
    if all(changed[name] is state[name] for name in state):
        return prepared
    return prepared._replace(state=packed(changed), trained=True)


def _fingerprint(value: torch.Tensor) -> object:
    wide = value.double()
    return value.dtype, value.shape, float(wide.sum()), float(wide.square().sum())


def _within(golden: Values, results: Sequence[Spec]) -> Values:
    """The same where results can be: the lowest of float64 is not that of float32."""

    def within(value: torch.Tensor, spec: Spec) -> torch.Tensor:
        if not value.is_floating_point() or not spec.dtype.is_floating_point:
            return value
        ends = torch.finfo(spec.dtype)
        clamped = value.clamp(ends.min, ends.max)
        return torch.where(value.isfinite(), clamped, value)

    return Values(golden.tree, list(map(within, golden.tensors, results)))


def _fits(golden: Values, expected: Values) -> bool:
    shapes = [t.shape for t in golden.tensors], [t.shape for t in expected.tensors]
    return golden.tree == expected.tree and shapes[0] == shapes[1]


def _alike(first: Values, second: Values) -> bool:
    if first.tree != second.tree or specs(first) != specs(second):
        return False
    pairs = zip(first.tensors, second.tensors, strict=True)
    return all(compare(a, b, None).reason is None for a, b in pairs)
