"""Parameters and buffers as statements of a constructor, under the names that the module has.

Each submodule with a state becomes a bare `nn.Module`. One that has several names has them here
too, and so does one tensor: tied weights stay tied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from kernelwright.tasks.export.values import drawn, exact, is_constant

CONSTANTS = "constants"
"""The container of tensors that the module holds as no parameter or buffer, where that is free."""
FEW = 16
"""A parameter of so few numbers is no matrix to draw, but a value that was chosen."""


def constructor(module: nn.Module) -> Iterator[str]:
    """Yield the statements that make the module's state on `self`."""
    stateful = {
        id(part): any(True for _ in part.parameters()) or any(True for _ in part.buffers())
        for part in module.modules()
    }
    made: dict[int, str] = {}
    tensors: dict[int, str] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        if path and stateful[id(part)] and not _within(path, made, module):
            yield _assigned(path, made.get(id(part)) or "nn.Module()")
        if id(part) in made or not stateful[id(part)]:
            continue
        made[id(part)] = attribute(path)
        yield from _own(path, part, tensors)


def constants_name(module: nn.Module) -> str:
    """Return a name for the container of constants that the module does not use."""
    name = CONSTANTS
    while hasattr(module, name):
        name += "_"
    return name


def constants(name: str, tensors: Mapping[str, torch.Tensor]) -> Iterator[str]:
    """Yield the statements that make the constants in their container."""
    if tensors:
        yield f"self.{name} = nn.Module()"
    for own, tensor in tensors.items():
        yield _buffer(f"self.{name}", own, exact(tensor) or drawn(tensor), False)


def attribute(path: str, owner: str = "self") -> str:
    """Return a dotted path as an expression; list items, whose names are numbers, too."""
    text = owner
    for name in filter(None, path.split(".")):
        text = f"{text}.{name}" if name.isidentifier() else f"getattr({text}, {name!r})"
    return text


def _own(path: str, part: nn.Module, tensors: dict[int, str]) -> Iterator[str]:
    for name, parameter in part._parameters.items():
        if parameter is not None:
            text = tensors.get(id(parameter))
            yield _set(attribute(path), name, text or _parameter(parameter))
            tensors.setdefault(id(parameter), attribute(name, attribute(path)))
    for name, buffer in part._buffers.items():
        if buffer is not None:
            text = tensors.get(id(buffer)) or exact(buffer) or drawn(buffer)
            is_kept = name not in part._non_persistent_buffers_set
            yield _buffer(attribute(path), name, text, is_kept)
            tensors.setdefault(id(buffer), attribute(name, attribute(path)))


def _parameter(parameter: nn.Parameter) -> str:
    values = parameter.detach()
    is_chosen = values.numel() <= FEW or not values.dtype.is_floating_point or is_constant(values)
    more = "" if parameter.requires_grad else ", requires_grad=False"
    return f"nn.Parameter({is_chosen and exact(values) or drawn(values)}{more})"


def _buffer(owner: str, name: str, text: str, is_kept: bool) -> str:
    return f"{owner}.register_buffer({name!r}, {text}{'' if is_kept else ', persistent=False'})"


def _assigned(path: str, text: str) -> str:
    holder, _, name = path.rpartition(".")
    return _set(attribute(holder), name, text)


def _set(owner: str, name: str, text: str) -> str:
    if name.isidentifier():
        return f"{owner}.{name} = {text}"
    return f"setattr({owner}, {name!r}, {text})"


def _within(path: str, made: Mapping[int, str], module: nn.Module) -> bool:
    """Return whether a path leads through a submodule that was made under another name."""
    parts = path.split(".")[:-1]
    outer = [".".join(parts[: end + 1]) for end in range(len(parts))]
    return any(made.get(id(module.get_submodule(one))) != attribute(one) for one in outer)
