"""What a reference does: its nature, found once per workload, and its values on given inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import Workload
from kernelwright.verifier.channel import Spec
from kernelwright.verifier.comparison import compare
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.results import Ran, overlapping, overlaps_itself
from kernelwright.verifier.shared import Image, plan_layout, trace
from kernelwright.verifier.values import Values, packed, same_bits, same_tree, specs

# A parameter moves by this share of its root mean square; one of zeros as if that were 0.5.
MOVES_BY, ZERO_MOVES_BY = 0.1, 0.5
# Times that inputs are moved within their rounding; once may happen to change nothing.
SHAKES = 5


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
    left = trace(image, oracle.process.shared, [0])
    draws, stateful = oracle.draws(key, 0), not same_bits(state, oracle.state(key))
    nature = Nature(
        draws=draws,
        stateful=stateful,
        changes_inputs=bool(left.inputs),
        reuses_memory=overlapping(ran),
        overlaps_itself=any(map(overlaps_itself, ran.entries)),
        returns_inputs=returns_inputs(oracle, key, ran, image),
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


def returns_inputs(module: RemoteModule, key: str, ran: Ran, image: Image) -> bool:
    """Whether a result lies in an input's memory: then it changes when that is written to."""
    before = module.result(key, ran, 0)
    image.write_inverted(module.process.shared)
    module.upload(key, image.layout.nbytes)
    return not same_bits(before, module.result(key, ran, 0))


def _give(oracle: RemoteModule, prepared: Prepared, inputs: Values) -> Image:
    """Parameters and inputs for one call."""
    key = prepared.workload.name
    if prepared.state.tensors and oracle.states.get(key) is not prepared.state:
        oracle.set_state(key, prepared.state)
    if not prepared.nature.stateful:
        oracle.states[key] = prepared.state
    image = prepared.image([inputs])
    oracle.show(key, image)
    return image


def rounding(oracle: RemoteModule, prepared: Prepared, inputs: Values, seed: int) -> Values | None:
    """How far each golden value moves when the inputs do, by less than one rounding of their type.

    Large where a result is badly conditioned, as where two logits nearly tie: there the reference's
    own error is a matter of luck. None where there is no golden value.
    """
    key = prepared.workload.name
    _give(oracle, prepared, inputs)
    exact, *others = [oracle.golden(key, 0, seed, shake) for shake in (None, *range(SHAKES))]
    if not isinstance(exact, Values):
        return None
    fitting = [o for o in others if isinstance(o, Values) and _fits(o, exact)] or [exact]
    moved = zip(*(map(_distance, exact.tensors, other.tensors) for other in fitting), strict=True)
    return Values(exact.tree, [torch.stack(by).amax(0) for by in moved])


def _distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Of each element from the other; 0 where that is no number."""
    if not (first.is_floating_point() or first.is_complex()):
        return torch.zeros(first.shape, dtype=torch.float64)
    return (first - second).abs().nan_to_num(nan=0.0, posinf=0.0)


def expect(oracle: RemoteModule, prepared: Prepared, inputs: Values, seed: int) -> Expected:
    """The reference's values on some inputs. Raises WorkerFault where it fails on them."""
    key, nature = prepared.workload.name, prepared.nature
    image = _give(oracle, prepared, inputs)
    golden = None if nature.draws else oracle.golden(key, 0, seed)
    ran = oracle.run(key, [0], [seed] if nature.draws else None)
    values = oracle.result(key, ran, 0)
    truth = golden if isinstance(golden, Values) and _fits(golden, values) else None
    changed = None
    if nature.changes_inputs:
        oracle.download(key, image.layout.nbytes)
        after = Image(image.layout)
        after.read(oracle.process.shared)
        changed = after.sets[0]
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


def moved(parameter: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A parameter some tenths of its size away; one that is no number stays."""
    if not parameter.is_floating_point() or parameter.numel() == 0:
        return parameter
    wide = parameter.double()
    size = float(wide.square().mean().sqrt()) or ZERO_MOVES_BY
    noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return (wide + MOVES_BY * size * noise).to(parameter.dtype)


def _fits(golden: Values, expected: Values) -> bool:
    shapes = [t.shape for t in golden.tensors], [t.shape for t in expected.tensors]
    return golden.tree == expected.tree and shapes[0] == shapes[1]


def _alike(first: Values, second: Values) -> bool:
    if first.tree != second.tree or specs(first) != specs(second):
        return False
    pairs = zip(first.tensors, second.tensors, strict=True)
    return all(compare(a, b, None).reason is None for a, b in pairs)
