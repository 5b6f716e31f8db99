"""The ways in which people use a module: each does what a user does, and returns what calls gave.

Stand-alone (standard library and torch). The reference and a candidate go through the same uses
with the same parameters, and their results are compared elsewhere. `use_plans.py` says which uses
a module has; here a use that does not fit raises, as it would for a user.

A use is a function of a `Subject` and of parameters, all JSON. An argument of a call is described
as `{"value": x}`, or as `{"of": i}`, the i-th of the given ones, changed: `sizes` (list of
dimension, size before and after), `layout`, `dtype`.
"""

from __future__ import annotations

import copy
import gc
import io
import math
import os
import pickle
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

CONSTRUCTOR_SEED = 42
CALL_SEED = 1234
THREADS, CALLS_OF_A_THREAD, SECONDS_OF_A_THREAD = 4, 3, 0.5
FORK_TIMEOUT_S = 15
MOST_KEPT = 2**20
INSTANCES = 8
Spec = dict[str, Any]


class ProcessDied(Exception):
    """The end of a process that ran the module, or its hang."""


class Subject:
    """A module's class, with all that it takes to build and to call it.

    Args:
        make: the class.
        init: positional arguments of the constructor.
        state: parameters and buffers by the reference's names.
        inputs: positional arguments of forward.
        loads: give instances that state, where names and shapes are theirs; else they keep what
            their constructor made with CONSTRUCTOR_SEED.
        batch: size of the first dimension in uses that need no more; None: as given.
        trims: all uses have that batch.
        shares: uses that leave an instance as it was may share one.
        device: of modules and inputs.
        exact: compute in float64.
    """

    def __init__(
        self,
        make: Callable[..., nn.Module],
        init: Sequence[Any],
        state: Mapping[str, torch.Tensor],
        inputs: Sequence[Any],
        *,
        loads: bool = True,
        batch: int | None = None,
        trims: bool = False,
        shares: bool = False,
        device: str = "cpu",
        exact: bool = False,
    ) -> None:
        self.make = make
        self.init = list(init)
        self.state = dict(state)
        self.given = list(inputs)
        self.loads = loads
        self.batch = batch
        self.trims = trims
        self.shares = shares
        self.device = device
        self.exact = exact
        self.streams: list[int] = []
        """Checksum of the generator's state after each call that drew random numbers."""
        self._usual: nn.Module | None = None

    def model(self, init: Sequence[Any] = (), keywords: Spec | None = None) -> nn.Module:
        """Return a fresh instance, by default with the subject's own arguments."""
        torch.manual_seed(CONSTRUCTOR_SEED)
        made: nn.Module = self.make(*copy.deepcopy(list(init) or self.init), **(keywords or {}))
        made = made.to(self.device)
        own = made.state_dict()
        with torch.no_grad():
            for name, value in self.state.items() if self.loads else ():
                if name in own and own[name].shape == value.shape:
                    own[name].copy_(value)
        self.cast(made)
        return made

    def usual(self, own: bool) -> nn.Module:
        """Return an instance that was called in the usual way before."""
        if self._usual is None or not self.shares:
            self._usual = self.model()
            self.call(self._usual, self.arguments(own))
        return self._usual

    def cast(self, value: Any, dtype: torch.dtype | None = None) -> Any:
        """Return a module, or a nest of tensors, in another type; then exact if that is wanted."""
        if isinstance(value, nn.Module):
            value = value.to(dtype) if dtype else value
            return value.double() if self.exact else value

        def one(tensor: torch.Tensor) -> torch.Tensor:
            if not tensor.is_floating_point():
                return tensor
            tensor = tensor.to(dtype) if dtype else tensor
            return tensor.double() if self.exact else tensor

        return mapped(value, one)

    def arguments(self, own: bool, number: int = 0) -> list[Any]:
        """Return fresh arguments of a usual call: in their own size, or with a smaller batch.

        Args:
            number: other numbers give other values.
        """
        sizes = first_sizes(self.given)
        found = copy.deepcopy(self.given)
        if self.batch is not None and (self.trims or not own):
            found = [resized(value, [[0, sizes[0], self.batch]]) for value in found]
        return list(self.cast([shifted(value, number) for value in found]))

    def argument(self, spec: Spec, own: bool) -> Any:
        """Return one argument that a plan describes."""
        if "value" in spec:
            return spec["value"]
        value = resized(self.arguments(own)[spec["of"]], spec.get("sizes", []))
        dtype = getattr(torch, spec["dtype"]) if "dtype" in spec else None
        layout = LAYOUTS[spec.get("layout", "plain")]
        return mapped(self.cast(value, dtype), layout)

    def call(
        self, model: Callable[..., Any], arguments: Sequence[Any], keywords: Spec | None = None
    ) -> Any:
        """Call with torch seeded, and return a copy of the result."""
        torch.manual_seed(CALL_SEED + len(self.streams))
        before = torch.get_rng_state()
        result = kept(model(*arguments, **(keywords or {})))
        after = torch.get_rng_state()
        drew = not torch.equal(before, after)
        self.streams.append(zlib.crc32(after.numpy().tobytes()) if drew else 0)
        return result

    @staticmethod
    def may_be_index(tensor: torch.Tensor) -> bool:
        """Return whether a tensor holds signed integers that are no mask of zeros and ones."""
        is_signed = tensor.dtype in (torch.int8, torch.int16, torch.int32, torch.int64)
        return is_signed and bool((tensor > 1).any())

    @staticmethod
    def may_be_mask(tensor: torch.Tensor) -> bool:
        """Return whether a tensor holds truth values, or integers that are zeros and ones."""
        if tensor.is_floating_point() or tensor.is_complex():
            return False
        return tensor.numel() > 1 and bool(((tensor == 0) | (tensor == 1)).all())

    def moved_state(self) -> dict[str, torch.Tensor]:
        """Return other parameters and buffers, by the reference's names."""
        found = {name: moved(name, value) for name, value in self.state.items()}
        return dict(self.cast(found))


# -- tensors --------------------------------------------------------------------------------------


def mapped(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """Return a nest with every tensor replaced."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, function) for item in value)
    if isinstance(value, dict):
        return {key: mapped(item, function) for key, item in value.items()}
    return value


def leaves(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a nest."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)


def kept(value: Any) -> Any:
    """Return a copy that later calls don't change; of a large tensor its shape and some elements.

    A use has up to ten results, and the judge holds each three times.
    """
    if isinstance(value, tuple):
        return tuple(kept(item) for item in value)
    if isinstance(value, (list, dict)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        copied = {key: kept(item) for key, item in items}
        return copied if isinstance(value, dict) else list(copied.values())
    if not isinstance(value, torch.Tensor):
        return value
    if value.numel() <= MOST_KEPT or value.layout is not torch.strided:
        return value.detach().clone()
    generator = torch.Generator().manual_seed(value.numel())
    places = torch.randint(value.numel(), (MOST_KEPT,), generator=generator)
    some = value.detach().reshape(-1)[places.to(value.device)]
    return {"shape": list(value.shape), "some of its elements": some}


def first_sizes(values: Sequence[Any]) -> list[int]:
    """Return the shape of the first tensor that has dimensions; empty if there is none."""
    return next((list(tensor.shape) for tensor in leaves(list(values)) if tensor.dim()), [])


def resized(value: Any, sizes: Sequence[Sequence[int]]) -> Any:
    """Return a nest whose tensors have other sizes wherever they have those before.

    What is added repeats what is there, a little smaller, so that no two numbers are equal. A size
    of None removes the dimension.
    """

    def one(tensor: torch.Tensor) -> torch.Tensor:
        for dim, before, after in sizes:
            if not -tensor.dim() <= dim < tensor.dim() or tensor.shape[dim] != before:
                continue
            if after is None:
                tensor = tensor.select(dim, 0).contiguous()
                continue
            index = torch.arange(after, device=tensor.device)
            tensor = tensor.index_select(dim, index % before)
            if after > before and tensor.is_floating_point():
                shape = [1] * tensor.dim()
                shape[dim] = after
                tensor = tensor * (0.99 ** (index // before)).view(shape).to(tensor.dtype)
        return tensor

    return mapped(value, one)


def shifted(value: Any, number: int) -> Any:
    """Return a nest of the same numbers in other places."""
    return mapped(value, lambda t: t.roll(number, 0) if number and t.dim() else t)


def noise(name: str, like: torch.Tensor) -> torch.Tensor:
    """Return random numbers that depend on a name and a shape only."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(like.shape, generator=generator, dtype=torch.float32).to(like)


def size_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return the root mean square; 0.5 for zeros and for no numbers."""
    size = tensor.detach().double().square().mean().sqrt()
    return size if float(size) > 0 else torch.tensor(0.5, dtype=torch.float64)


def moved(name: str, value: torch.Tensor) -> torch.Tensor:
    """Return another value that a parameter or buffer may have; integers change places."""
    if not value.is_floating_point():
        return value.roll(1, -1) if value.dim() else value.clone()
    if bool((value >= 0).all()):  # a variance stays one
        return value * (1.25 + 0.25 * noise(name, value).abs()) + 0.1
    return value + (0.5 * size_of(value)).to(value) * noise(name, value)


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    wide = torch.stack([tensor, torch.full_like(tensor, 1)], -1)
    return wide[..., 0]


def _transposed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2) if tensor.dim() > 1 else tensor


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def _offset(tensor: torch.Tensor) -> torch.Tensor:
    memory = torch.full((tensor.numel() + 2,), 1, dtype=tensor.dtype, device=tensor.device)
    memory[1:-1] = tensor.reshape(-1)
    return memory[1:-1].view(tensor.shape)


def _from_the_end(tensor: torch.Tensor) -> torch.Tensor:
    """Return indices every third of which is -1, which is the last."""
    return _with_a_third(tensor, -1)


def _ignored(tensor: torch.Tensor) -> torch.Tensor:
    """Return labels every third of which is -100, which losses leave out by default."""
    return _with_a_third(tensor, -100)


def _with_a_third(tensor: torch.Tensor, number: int) -> torch.Tensor:
    if not Subject.may_be_index(tensor):
        return tensor
    found = tensor.clone()
    found.view(-1)[::3] = number
    return found


def _turned_over(tensor: torch.Tensor) -> torch.Tensor:
    """Return a mask every third element of which is the other one."""
    if not Subject.may_be_mask(tensor):
        return tensor
    found = tensor.clone()
    some = found.view(-1)[::3]
    some.copy_(some == 0)
    return found


LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "plain": lambda tensor: tensor,
    "strided": _strided,
    "transposed": _transposed,
    "channels-last": _channels_last,
    "offset": _offset,
    "from-the-end": _from_the_end,
    "ignored": _ignored,
    "turned-over": _turned_over,
}


def change_a_few(tensor: torch.Tensor, seed: int) -> None:
    """Change a few elements in the same memory: the sum stays, and so do the ends and the middle.

    With `seed` 0 these are changed, too. Integers change places.
    """
    count = tensor.numel()
    generator = torch.Generator().manual_seed(CALL_SEED + seed)
    places = torch.randperm(count, generator=generator)[:8]
    if seed:
        usual = {k * (count - 1) // n for n in (1, 2, 3, 4, 5, 7, 8) for k in range(n + 1)}
        rest = [place for place in places.tolist() if place not in usual]
        places = torch.tensor(rest[: len(rest) // 2 * 2] or places.tolist(), dtype=torch.int64)
    else:
        ends = [0, count - 1, count // 2, count // 4]
        places = torch.tensor(sorted({*ends, *places.tolist()}))
    flat = tensor.view(-1)
    places = places[: len(places) // 2 * 2].to(tensor.device)
    if not tensor.is_floating_point():
        flat[places] = flat[places.flip(0)]
        return
    sign = torch.where(torch.arange(len(places)) % 2 == 0, 1.0, -1.0)
    flat[places] += (2 * size_of(tensor) * sign).to(tensor)


# -- uses -----------------------------------------------------------------------------------------


def called(
    subject: Subject, arguments: Sequence[Spec], keywords: Mapping[str, Spec], own: bool = False
) -> Any:
    """Call with other arguments than the usual ones, after a usual call."""
    model = subject.usual(own)
    given = [subject.argument(spec, own) for spec in arguments]
    named = {name: subject.argument(spec, own) for name, spec in keywords.items()}
    return subject.call(model, given, named)


def train(subject: Subject) -> Any:
    """Call in evaluation mode, then in training mode."""
    model = subject.model().eval()
    before = subject.call(model, subject.arguments(True))
    return [before, subject.call(model.train(), subject.arguments(True))]


def eval_(subject: Subject) -> Any:
    """Call in the mode in which a module is made, then in evaluation mode."""
    model = subject.model()
    before = subject.call(model, subject.arguments(True))
    return [before, subject.call(model.eval(), subject.arguments(True))]


def plain_call(subject: Subject) -> Any:
    """Call with gradients enabled, as it is without `no_grad`."""
    with torch.enable_grad():
        return subject.call(subject.model(), subject.arguments(True))


def constructor_arguments(
    subject: Subject, index: int | None, name: str, value: Any, fill: Sequence[str]
) -> Any:
    """Call an instance made with one other argument; what is new in it is filled by name.

    Args:
        index: place among the positional arguments; None for one that is given by its name.
        fill: names of the parameters and buffers that depend on the argument.
    """
    init, keywords = list(subject.init), {}
    if index is None:
        keywords = {name: value}
    else:
        init[index] = value
    model = subject.model(init, keywords)
    own = model.state_dict()
    for entry in fill if subject.loads else ():
        own[entry].copy_(subject.cast(noise(entry, own[entry]).abs() * 0.1 + 0.05))
    return subject.call(model, subject.arguments(False))


def _after(subject: Subject, change: Callable[[nn.Module], Any]) -> Any:
    """Call, change the module, and call again: both results."""
    model = subject.model()
    before = subject.call(model, subject.arguments(True))
    model = change(model) or model
    return [before, subject.call(model, subject.arguments(True))]


def weights_loaded_later(subject: Subject) -> Any:
    """Load another state dict after the first call."""

    def change(model: nn.Module) -> None:
        model.load_state_dict(subject.moved_state())

    return _after(subject, change)


def _change_in_place(model: nn.Module, names: Sequence[str]) -> None:
    with torch.no_grad():
        for name in names:
            tensor = getattr(*owner(model, name))
            tensor.copy_(moved(name, tensor.float() if tensor.is_floating_point() else tensor))


def owner(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the submodule that holds a dotted name, and the name there; AttributeError if none."""
    path, _, leaf = name.rpartition(".")
    found = model.get_submodule(path)
    if leaf not in {*found._parameters, *found._buffers, *found._modules}:
        raise AttributeError(f"the module has nothing named {name!r}")
    return found, leaf


def weights_changed_in_place(subject: Subject, names: Sequence[str]) -> Any:
    """Change parameters in place after the first call, as an optimizer does."""

    def change(model: nn.Module) -> None:
        with torch.no_grad():
            for name in names:
                parameter = getattr(*owner(model, name))
                parameter.mul_(0.75).add_(moved(name, parameter), alpha=0.5)

    return _after(subject, change)


def one_tensor_changed(subject: Subject, names: Sequence[str]) -> Any:
    """Change one parameter or buffer after another in place, each before a call."""
    model = subject.model()
    results = [subject.call(model, subject.arguments(True))]
    for name in names:
        _change_in_place(model, [name])
        results.append(subject.call(model, subject.arguments(True)))
    return results


def weights_replaced(subject: Subject, names: Sequence[str]) -> Any:
    """Put new parameters in the place of the old ones after the first call, three times."""
    model = subject.model()
    results = [subject.call(model, subject.arguments(True))]
    for _ in range(3):
        # A parameter that is gone leaves its address to the next one.
        for name in names:
            place, leaf = owner(model, name)
            value = moved(name, getattr(place, leaf).detach())
            setattr(place, leaf, None)
            setattr(place, leaf, nn.Parameter(value.clone()))
            del value
        results.append(subject.call(model, subject.arguments(True)))
    return results


def optimizer_step(subject: Subject, names: Sequence[str]) -> Any:
    """Let a fused optimizer change parameters after the first call; it leaves no new version."""

    def change(model: nn.Module) -> None:
        parameters = []
        for name in names:
            parameter = getattr(*owner(model, name))
            parameter.grad = moved(name, parameter.detach())
            parameters.append(parameter)
        torch.optim.Adam(parameters, lr=0.1, fused=True).step()

    return _after(subject, change)


def buffers_changed(subject: Subject, names: Sequence[str]) -> Any:
    """Change buffers in place after the first call."""
    return _after(subject, lambda model: _change_in_place(model, names))


def two_instances(subject: Subject) -> Any:
    """Call two instances with different weights in turn."""
    first, second = subject.model(), subject.model()
    second.load_state_dict(subject.moved_state())
    return [subject.call(one, subject.arguments(True)) for one in (first, second, first, second)]


def instances_in_turn(subject: Subject) -> Any:
    """Call new instances with other weights, each when the one before it has gone."""
    state, results = subject.moved_state(), []
    for number in range(INSTANCES):
        model = subject.model()
        own, share = model.state_dict(), number / INSTANCES
        model.load_state_dict({name: _between(own[name], state[name], share) for name in state})
        results.append(subject.call(model, subject.arguments(True)))
        del model, own  # their addresses are the next one's
        gc.collect()
    return results


def _between(old: torch.Tensor, new: torch.Tensor, share: float) -> torch.Tensor:
    if old.is_floating_point():
        return torch.lerp(old, new, share)
    places = round(INSTANCES * share)  # integers change places, each time others
    return new.roll(places, -1) if places and new.dim() else old


def input_changed_in_place(subject: Subject) -> Any:
    """Change a few elements of the same inputs between calls, always in the same memory."""
    model, arguments = subject.model(), subject.arguments(True)
    results = [subject.call(model, arguments)]
    for seed in (1, 2, 0):
        for tensor in leaves(arguments):
            if tensor.is_contiguous() and tensor.numel() > 1:
                change_a_few(tensor, seed)
        results.append(subject.call(model, arguments))
    return results


def requires_grad(subject: Subject, names: Sequence[str]) -> Any:
    """Call with inputs that require gradients, and go backward from what has one."""
    with torch.enable_grad():
        model, arguments = subject.model(), subject.arguments(False)
        floating = [tensor for tensor in leaves(arguments) if tensor.is_floating_point()]
        for tensor in floating:
            tensor.requires_grad_()
        torch.manual_seed(CALL_SEED)
        found = model(*arguments)
        outputs = [tensor for tensor in leaves(found) if tensor.is_floating_point()]
        pairs = [(output, noise(str(number), output)) for number, output in enumerate(outputs)]
        # An error for one that is cut off would hide that gradients of the others lack a part.
        reached = [pair for pair in pairs if pair[0].requires_grad] or pairs
        torch.autograd.backward([one for one, _ in reached], [factor for _, factor in reached])
    gradients = {name: getattr(*owner(model, name)).grad for name in names}
    return kept([found, [tensor.grad for tensor in floating], gradients])


def autocast(subject: Subject) -> Any:
    """Call under autocast to bfloat16."""
    model = subject.model()
    kind = subject.device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=not subject.exact):
        return subject.call(model, subject.arguments(False))


def in_half(subject: Subject, dtype: str) -> Any:
    """Call after `half()` or `bfloat16()`, with inputs of that type."""
    narrow = getattr(torch, dtype)
    model = subject.cast(subject.model(), narrow)
    return subject.call(model, subject.cast(subject.arguments(False), narrow))


def replaced_submodule(subject: Subject, name: str) -> Any:
    """Put another submodule in the place of one after the first call."""

    def change(model: nn.Module) -> None:
        place, leaf = owner(model, name)
        old = getattr(place, leaf)
        new = copy.deepcopy(old) if old.state_dict() else nn.Identity()
        with torch.no_grad():
            for key, value in new.state_dict().items():
                value.copy_(moved(key, value))
        setattr(place, leaf, new)

    return _after(subject, change)


def forward_hooks(subject: Subject, name: str) -> Any:
    """Change a submodule's result by a hook after the first call, then remove the hook."""
    model = subject.model()
    part = getattr(*owner(model, name))
    results = [subject.call(model, subject.arguments(True))]
    handle = part.register_forward_hook(lambda _module, _given, output: output * 0.5 + 0.25)
    results.append(subject.call(model, subject.arguments(True)))
    handle.remove()
    return [*results, subject.call(model, subject.arguments(True))]


class Wave(nn.Module):
    """A parametrization that scales every element by another factor."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        factors = torch.linspace(0.5, 1.5, weight.numel(), device=weight.device)
        return weight * factors.view(weight.shape).to(weight.dtype)


def parametrizations(subject: Subject, name: str) -> Any:
    """Parametrize a weight after the first call."""

    def change(model: nn.Module) -> None:
        place, leaf = owner(model, name)
        parametrize.register_parametrization(place, leaf, Wave())

    return _after(subject, change)


def functional_call(subject: Subject) -> Any:
    """Call with other weights by `torch.func.functional_call`, then with the module's own."""
    model = subject.model()
    results = [subject.call(model, subject.arguments(True))]
    for share in (1.0, 0.5, 2.0):
        # The last weights are gone by now: others may lie at their addresses.
        state = {name: _scaled(value, share) for name, value in subject.moved_state().items()}

        def other(*arguments: Any, state: dict[str, torch.Tensor] = state) -> Any:
            return torch.func.functional_call(model, state, arguments, strict=True)

        results.append(subject.call(other, subject.arguments(True)))
        del state, other
    return [*results, subject.call(model, subject.arguments(True))]


def _scaled(value: torch.Tensor, share: float) -> torch.Tensor:
    if value.is_floating_point() or not value.dim():
        return value * share if value.is_floating_point() else value
    return value.roll(round(2 * share), -1)


def _copied(subject: Subject, copying: Callable[[nn.Module], Any]) -> Any:
    """Call, copy, load other weights into the copy, and call both."""
    model = subject.model()
    results = [subject.call(model, subject.arguments(True))]
    other = copying(model)
    results.append(subject.call(other, subject.arguments(True)))
    other.load_state_dict(subject.moved_state())
    return [*results, *(subject.call(one, subject.arguments(True)) for one in (other, model))]


def deepcopy(subject: Subject) -> Any:
    """Call a deep copy with other weights beside the original."""
    return _copied(subject, copy.deepcopy)


def pickled(subject: Subject) -> Any:
    """Call what pickle brings back."""
    return _copied(subject, lambda model: pickle.loads(pickle.dumps(model)))


def torch_save(subject: Subject) -> Any:
    """Call what torch.save and torch.load bring back: the module, and the state dict."""

    def saved(value: Any, is_module: bool) -> Any:
        file = io.BytesIO()
        torch.save(value, file)
        file.seek(0)
        return torch.load(file, weights_only=not is_module)

    def copying(model: nn.Module) -> nn.Module:
        again: nn.Module = saved(model, True)
        again.load_state_dict(saved(model.state_dict(), False))
        return again

    return _copied(subject, copying)


def four_threads(subject: Subject) -> Any:
    """Call one instance from four threads at once, each with inputs of its own."""
    model = subject.model()
    arguments = [subject.arguments(False, number) for number in range(THREADS)]
    results: list[Any] = [None] * THREADS
    errors: list[BaseException] = []
    barrier = threading.Barrier(THREADS)

    def work(number: int) -> None:
        try:
            barrier.wait()
            with torch.no_grad():
                # Copies, since a module may change its arguments.
                given = arguments[number]
                results[number] = _with_oddest(lambda: kept(model(*mapped(given, torch.clone))))
        except Exception as error:  # a module may raise anything; it is raised again below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def _with_oddest(call: Callable[[], Any]) -> list[Any]:
    """Call for a while; return the first result, and the one that is furthest from it."""
    first = odd = call()
    start, furthest, calls = time.monotonic(), 0.0, 1
    while calls < CALLS_OF_A_THREAD or time.monotonic() - start < SECONDS_OF_A_THREAD:
        calls += 1
        found = call()
        pairs = zip(leaves(found), leaves(first), strict=False)
        distance = sum(0.0 if torch.equal(a, b) else _distance(a, b) for a, b in pairs)
        if distance > furthest:
            odd, furthest = found, distance
    return [first, odd]


def _distance(left: torch.Tensor, right: torch.Tensor) -> float:
    if left.shape != right.shape or bool((left.isnan() != right.isnan()).any()):
        return math.inf
    wide = left.to(torch.complex128), right.to(torch.complex128)
    return float((wide[0] - wide[1]).abs().nan_to_num().max())


def thread_counts(subject: Subject) -> Any:
    """Call with one thread, and with four for each CPU."""
    model, usual = subject.model(), torch.get_num_threads()
    results = [subject.call(model, subject.arguments(True))]
    try:
        for count in (1, 4 * (os.cpu_count() or 1)):
            torch.set_num_threads(count)
            results.append(subject.call(model, subject.arguments(True)))
    finally:
        torch.set_num_threads(usual)
    return results


def inference_mode(subject: Subject) -> Any:
    """Call twice in inference mode, and once after it."""
    model = subject.model()
    with torch.inference_mode():
        results = [subject.call(model, subject.arguments(True)) for _ in range(2)]
        results = [mapped(result, torch.clone) for result in results]
    return kept([*results, subject.call(model, subject.arguments(True))])


class _Calls(torch.utils.data.Dataset[Any]):
    """A data set whose items are results of a module."""

    def __init__(self, subject: Subject, model: nn.Module) -> None:
        self.subject = subject
        self.model = model

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        with torch.no_grad():
            return kept(self.model(*self.subject.arguments(False, index)))


def forked_worker(subject: Subject) -> Any:
    """Call in a forked worker of a DataLoader, after a call in its parent."""
    model = subject.model()
    before = subject.call(model, subject.arguments(False))
    items = _Calls(subject, model)
    if subject.exact:
        return [before, [items[index] for index in range(len(items))]]
    loader = torch.utils.data.DataLoader(
        items,
        batch_size=None,
        num_workers=1,
        multiprocessing_context="fork",
        timeout=FORK_TIMEOUT_S,
    )
    try:
        return [before, [kept(item) for item in loader]]
    except RuntimeError as error:
        if str(error).startswith("DataLoader") and (
            "killed" in str(error) or "timed" in str(error)
        ):
            raise ProcessDied(str(error)) from error
        raise


def torch_compile(subject: Subject) -> Any:
    """Call through torch.compile, and again after its weights were changed.

    Dynamo and AOTAutograd see a module as they do for Inductor, whose own code takes 10 s to make
    and would be the reference's.
    """
    model = subject.model()
    compiled: Any = model if subject.exact else torch.compile(model, backend="aot_eager")
    before = subject.call(compiled, subject.arguments(False))
    _change_in_place(model, [name for name, _ in model.named_parameters() if name in subject.state])
    return [before, subject.call(compiled, subject.arguments(False))]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            "other-batch-sizes",
            "other-widths",
            "broadcast-operands",
            "other-numbers",
            "arguments-left-out",
            "arguments-none",
            "arguments-given",
            "keyword-arguments",
            "strided-inputs",
            "transposed-inputs",
            "channels-last-inputs",
            "offset-inputs",
            "negative-indices",
            "other-masks",
            "other-dtypes",
            "empty-batch",
        ),
        called,
    ),
    "train": train,
    "eval": eval_,
    "plain-call": plain_call,
    "constructor-arguments": constructor_arguments,
    "weights-loaded-later": weights_loaded_later,
    "weights-changed-in-place": weights_changed_in_place,
    "one-tensor-changed": one_tensor_changed,
    "weights-replaced": weights_replaced,
    "optimizer-step": optimizer_step,
    "buffers-changed": buffers_changed,
    "two-instances": two_instances,
    "instances-in-turn": instances_in_turn,
    "input-changed-in-place": input_changed_in_place,
    "requires-grad": requires_grad,
    "autocast": autocast,
    "half": in_half,
    "bfloat16": in_half,
    "replaced-submodule": replaced_submodule,
    "forward-hooks": forward_hooks,
    "parametrizations": parametrizations,
    "functional-call": functional_call,
    "deepcopy": deepcopy,
    "pickle": pickled,
    "torch-save": torch_save,
    "four-threads": four_threads,
    "thread-counts": thread_counts,
    "inference-mode": inference_mode,
    "forked-worker": forked_worker,
    "torch-compile": torch_compile,
}
"""The function of each use."""


def fallbacks(make: object) -> int | None:
    """Return how often a guarded class ran the original forward; None for one without guards."""
    counted = getattr(make, "fallbacks", None)
    return sum(counted.values()) if isinstance(counted, dict) else None


def attempt(subject: Subject, use: str, parameters: Spec) -> tuple[Any, Spec]:
    """Do one use; return its results, and facts about it.

    Facts: `error` (words, or None), `died` (whether a process of its own did), `fell_back` (calls
    that ran the original forward, None without guards), `streams` (see `Subject.streams`).
    """
    before, result, error, died = fallbacks(subject.make), None, None, False
    subject.streams = []
    try:
        with torch.no_grad():
            result = FUNCTIONS[use](subject, **parameters)
    except Exception as raised:  # a module may raise anything
        error = f"{type(raised).__name__}: {str(raised).strip().partition(chr(10))[0]}"[:200]
        died = isinstance(raised, ProcessDied)
    after = fallbacks(subject.make)
    fell_back = None if before is None or after is None else after - before
    streams = list(subject.streams)
    return result, {"error": error, "died": died, "fell_back": fell_back, "streams": streams}
