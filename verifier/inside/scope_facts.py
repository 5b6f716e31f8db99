"""A tool of the worker: the facts about a reference that its proof depends on. Stdlib and torch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

Loaded = dict[str, Any]
PLAIN = (bool, int, float, str, type(None))
IGNORED = frozenset(vars(torch.nn.Module()))
"""Attributes of every module, the mode among them."""
LARGEST = 2**40


def facts(loaded: Loaded, key: str) -> dict[str, Any]:
    """Return the facts of an instance, found in one call on its first inputs.

    `attributes`: plain attributes that the call reads, by path. `writes`: those that it sets.
    `reads_mode`: paths of modules whose mode it reads.
    """
    model, inputs = loaded[key].model, loaded[key].slots[0]
    paths = {id(part): path for path, part in model.named_modules()}
    reads: dict[str, dict[str, Any]] = {}
    writes: set[str] = set()
    modes: set[str] = set()
    get, put = torch.nn.Module.__getattribute__, torch.nn.Module.__setattr__

    def recorded(self: torch.nn.Module, name: str) -> Any:
        value = get(self, name)
        path = paths.get(id(self))
        if path is not None and name == "training":
            modes.add(path)
        elif path is not None and name not in IGNORED and name in get(self, "__dict__"):
            if (tree := plain(value)) is not None:
                reads.setdefault(path, {})[name] = tree
        return value

    def noted(self: torch.nn.Module, name: str, value: Any) -> None:
        if not isinstance(value, (torch.Tensor, torch.nn.Module)):
            writes.add(f"{paths.get(id(self), '?')}.{name}".lstrip("."))
        put(self, name, value)

    module: Any = torch.nn.Module
    module.__getattribute__, module.__setattr__ = recorded, noted
    try:
        model.forward(*inputs)
    finally:
        del module.__getattribute__
        module.__setattr__ = put
    return {
        "names": named(model.forward, len(inputs)),
        "modules": {path: kind(part, model) for path, part in model.named_modules() if path},
        "attributes": {
            p: {n: v for n, v in own.items() if n not in writes} for p, own in reads.items()
        },
        "writes": sorted(writes),
        "reads_mode": sorted(modes),
        "training": {path: part.training for path, part in model.named_modules()},
        "state": dict(state(model)),
    }


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
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
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
