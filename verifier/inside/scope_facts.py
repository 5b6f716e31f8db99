"""A tool of the worker: the facts about a reference that its proof depends on. Stdlib and torch."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

Loaded = dict[str, Any]
PLAIN = (bool, int, float, str, type(None))
IGNORED = frozenset(vars(torch.nn.Module()))
"""Attributes of every module, the mode among them."""
REGISTERED = ("_parameters", "_buffers", "_modules")
DESCRIBED = (complex, bytes, range, torch.dtype, torch.device, torch.Size)
MOST_TEXT = 2000
LARGEST = 2**40
ALIGNED = 64
"""Bytes; torch gives a tensor's memory such an address."""


def facts(loaded: Loaded, key: str) -> dict[str, Any]:
    """Return the facts of an instance, found in one call on its first inputs.

    Besides what the call reads, what its source names counts: another branch may read it.

    `attributes`: plain attributes, by path. `described`: others that a text describes. `opaque`:
    names of all others. `missing`: those that are asked for and not there. `writes`: those that the
    call sets or changes. `replaced`: buffers that it puts others in the place of. `changed`:
    parameters and buffers that it changes in place. `reads_mode`: paths of modules whose mode is
    read. `tied`: names of one parameter or buffer. `unaligned`: those that lie anywhere.
    """
    model, inputs = loaded[key].model, loaded[key].slots[0]
    watch, versions = Watch(model), dict(seen_versions(model))
    with watch:
        model.forward(*inputs)
    own = type(model).__module__
    return {
        "names": named(model.forward, len(inputs)),
        "modules": {path: kind(part, model) for path, part in model.named_modules() if path},
        "attributes": watch.attributes(plain),
        "described": watch.attributes(lambda v: described(v, own) if plain(v) is None else None),
        "opaque": {
            path: [*names]
            for path, names in watch.attributes(lambda v: is_opaque(v, own) or None).items()
        },
        "missing": {path: sorted(own) for path, own in watch.missing.items()},
        "writes": sorted(watch.writes),
        "replaced": sorted(watch.replaced),
        "changed": [name for name, now in seen_versions(model) if versions.get(name) != now],
        "reads_mode": sorted(watch.modes),
        "training": {path: part.training for path, part in model.named_modules()},
        "state": dict(state(model)),
        "tied": tied(model),
        "unaligned": [name for name, one in tensors(model) if one.data_ptr() % ALIGNED],
    }


class Watch:
    """A record of what a module and its parts read and set while it is entered."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.parts = dict(model.named_modules())
        self.paths = {id(part): path for path, part in self.parts.items()}
        self.reads = {path: set[str]() for path in self.parts}
        self.missing: dict[str, set[str]] = {}
        self.writes: set[str] = set()
        self.replaced: set[str] = set()
        self.modes: set[str] = set()
        for path, names in named_in_source(model):
            self.modes |= {path} if "training" in names else set()
            self.reads[path] |= names
        self.held = {path: containers(part) for path, part in self.parts.items()}

    def __enter__(self) -> None:
        module: Any = torch.nn.Module
        get, self.put = torch.nn.Module.__getattribute__, torch.nn.Module.__setattr__
        module.__getattribute__ = lambda part, name: self.read(part, name, get)
        module.__setattr__ = lambda part, name, value: self.written(part, name, value)

    def __exit__(self, *_exc: object) -> None:
        module: Any = torch.nn.Module
        del module.__getattribute__
        module.__setattr__ = self.put
        for path, part in self.parts.items():
            before, after = self.held[path], containers(part)
            changed = (name for name in before if after.get(name) != before[name])
            self.writes |= {full(path, name) for name in changed}

    def read(self, part: torch.nn.Module, name: str, get: Any) -> Any:
        """Note that an attribute is read, or asked for in vain; return it."""
        own, path = get(part, "__dict__"), self.paths.get(id(part))
        if path is not None and name == "training":
            self.modes.add(path)
        elif path is not None and name in own:
            self.reads[path].add(name)
        try:
            return get(part, name)
        except AttributeError:
            if path is not None and not any(name in own[kind] for kind in REGISTERED):
                self.missing.setdefault(path, set()).add(name)
            raise

    def written(self, part: torch.nn.Module, name: str, value: Any) -> None:
        """Note that an attribute is set, and set it."""
        own, place = vars(part), full(self.paths.get(id(part), "?"), name)
        if name in own["_buffers"]:
            self.replaced.add(place)
        elif name not in own["_parameters"] and not isinstance(value, torch.nn.Module):
            self.writes.add(place)
        self.put(part, name, value)

    def attributes(self, form: Callable[[Any], Any]) -> dict[str, dict[str, Any]]:
        """Return the attributes that have a form, in it, without those that the call sets."""
        found: dict[str, dict[str, Any]] = {}
        for path, part in self.parts.items():
            for name in sorted(self.reads[path] & vars(part).keys() - IGNORED):
                value = form(vars(part)[name])
                if value is not None and full(path, name) not in self.writes:
                    found.setdefault(path, {})[name] = value
        return found


def full(path: str, name: str) -> str:
    """Return the dotted name of an attribute of a part."""
    return f"{path}.{name}".lstrip(".")


def named_in_source(model: torch.nn.Module) -> Iterator[tuple[str, set[str]]]:
    """Yield, for each module of a class in the model's file, its attributes that the file reads."""
    try:
        tree = ast.parse(Path(inspect.getfile(type(model))).read_text())
    except (OSError, TypeError, SyntaxError):
        return
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in nodes if isinstance(node.ctx, ast.Load)}
    for path, part in model.named_modules():
        if type(part).__module__ == type(model).__module__:
            yield path, names & {*vars(part), "training"}


def containers(part: torch.nn.Module) -> dict[str, Any]:
    """Return what the attributes of a module hold, by name."""
    own = {name: value for name, value in vars(part).items() if name not in IGNORED}
    return {name: [*held(value, set())] for name, value in own.items()}


def held(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the addresses of a value and of all that it holds, and the versions of tensors."""
    yield id(value)
    if id(value) in seen or isinstance(value, torch.nn.Module):
        return
    seen.add(id(value))
    items: Iterable[Any] = ()
    if isinstance(value, torch.Tensor):
        yield version(value)
    elif isinstance(value, dict):
        items = itertools.chain.from_iterable(value.items())
    elif isinstance(value, (list, tuple, set, deque)):
        items = value
    elif hasattr(value, "__dict__") and not callable(value):
        items = itertools.chain.from_iterable(vars(value).items())
    for item in items:
        yield from held(item, seen)


def version(tensor: torch.Tensor) -> int | None:
    """Return how often a tensor was changed in place; None in inference mode."""
    return None if tensor.is_inference() else tensor._version


def tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every name of every parameter and buffer, and the tensor."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def seen_versions(model: torch.nn.Module) -> Iterator[tuple[str, int | None]]:
    """Yield every parameter's and buffer's version by name."""
    yield from ((name, version(tensor)) for name, tensor in tensors(model))


def tied(model: torch.nn.Module) -> list[list[str]]:
    """Return the names of each parameter or buffer that has several."""
    names: dict[int, list[str]] = {}
    for name, tensor in tensors(model):
        names.setdefault(id(tensor), []).append(name)
    return sorted(own for own in names.values() if len(own) > 1)


def described(value: Any, own: str) -> str | None:
    """Return a text that only an equal value has; None for what no text describes.

    The guard has the same function.

    Args:
        own: name of the model's Python module, which is another one wherever its file lies.
    """
    name, place = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
    if isinstance(name, str):  # a function, a class
        return None if "<" in name else name if place == own else f"{place}.{name}"
    kind = type(value)
    if kind in DESCRIBED or hasattr(kind, "__members__") or kind.__module__ == "numpy":
        return f"{kind.__qualname__} {value!r}"[:MOST_TEXT]
    return None


def is_opaque(value: Any, own: str) -> bool:
    """Return whether an attribute is known by its identity alone."""
    return plain(value) is None and described(value, own) is None


def named(function: Any, count: int) -> list[str]:
    """Return the names of a function's first arguments; those of *args have a number."""
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return names + [f"{parameter.name}[{number}]" for number in range(count - len(names))]
        names.append(parameter.name)
    return names[:count]


def kind(part: torch.nn.Module, model: torch.nn.Module) -> str:
    """Return a submodule's class: by its name alone if the model's file defines it."""
    found = type(part)
    is_own = found.__module__ == type(model).__module__
    return found.__qualname__ if is_own else f"{found.__module__}.{found.__qualname__}"


def state(model: torch.nn.Module) -> Iterator[tuple[str, list[Any]]]:
    """Yield dtype, shape and strides of each parameter and buffer by name."""
    for name, tensor in tensors(model):
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield name, [dtype, list(tensor.shape), list(tensor.stride())]


def plain(value: Any) -> Any:
    """Return a value as the worker packs it; None for one that isn't plain."""
    if type(value) in PLAIN:
        return {"v": value}
    if type(value) in (list, tuple):
        parts = [plain(item) for item in value]
        return None if None in parts else {"l" if type(value) is list else "u": parts}
    if type(value) is dict and all(type(name) is str for name in value):
        named = {name: plain(item) for name, item in value.items()}
        return None if None in named.values() else {"d": named}
    return None


def free_sizes(loaded: Loaded, key: str) -> dict[str, Any]:
    """Return each input tensor's sizes, by name where they may change, and their ranges.

    Found by torch.export with every dimension dynamic; without any where it can't read the module.
    """
    from torch.export import Dim

    model, inputs = loaded[key].model, tuple(loaded[key].slots[0])

    def dynamic(value: Any) -> Any:
        is_tensor = isinstance(value, torch.Tensor)
        return dict.fromkeys(range(value.dim()), Dim.AUTO) if is_tensor else None

    try:
        shapes = tree_map(dynamic, inputs)
        program = torch.export.export(model, inputs, dynamic_shapes=shapes, strict=False)
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, AssertionError):
        return {"sizes": [], "ranges": {}}
    given = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.name in given]
    tensors: Any = [value for value in values if isinstance(value, torch.Tensor)]
    if len(tensors) != sum(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(inputs)):
        return {"sizes": [], "ranges": {}}
    expressions = [[getattr(n, "node", None) and n.node.expr for n in t.shape] for t in tensors]
    fixed = compared(tensors[0].fake_mode.shape_env)
    for expression in (e for own in expressions for e in own if e is not None):
        fixed |= set() if expression.is_Symbol else expression.free_symbols
    free = [[None if e is None or e in fixed or not e.is_Symbol else str(e) for e in own]
            for own in expressions]  # fmt: skip
    ranges = {
        str(symbol): [
            None if abs(end) > LARGEST else int(end) for end in (found.lower, found.upper)
        ]
        for symbol, found in program.range_constraints.items()
    }
    return {"sizes": free, "ranges": ranges}


def compared(environment: Any) -> set[Any]:
    """Return the sizes that the module compares with more than an order or another size.

    It may compute something else where such a comparison turns out otherwise.
    """
    found: set[Any] = set()
    for guard in environment.guards:
        expression = guard.expr
        ends = expression.args
        is_plain = all(end.is_Symbol or end.is_Integer for end in ends)
        kind = type(expression).__name__  # of sympy's relations
        is_order = kind.endswith(("GreaterThan", "LessThan"))
        is_range = is_order and len(expression.free_symbols) == 1
        is_large = kind == "Unequality" and bool({0, 1} & set(ends))
        if not (is_plain and (is_range or is_large or kind == "Equality")):
            found |= {environment.replace(symbol) for symbol in expression.free_symbols}
    return found
