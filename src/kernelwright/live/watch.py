"""A look, before each call, at what an export fixed of a live module.

The exported graph holds the values of attributes, the modes, and the code of all submodules as they
were. Not seen: what an attribute's object holds inside (a configuration object, say), global
variables, and variables of an enclosing function.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from kernelwright.tasks.export.call import is_same

CONTAINERS = (list, dict, set, collections.deque)
OF_EVERY_MODULE = vars(nn.Module()).keys() - {"training", "_parameters", "_buffers", "_modules"}


class Watch:
    """A memory of a module as it was exported."""

    def __init__(self, module: nn.Module) -> None:
        parts = list(module.modules())
        owned = [(part, name, value) for part in parts for name, value in vars(part).items()]
        kept = [one for one in owned if one[1] not in OF_EVERY_MODULE]
        self._sizes = [(vars(part), len(vars(part))) for part in parts]
        self._held = [(vars(part), name, value, type(part)) for part, name, value in kept]
        self._children = [
            (part._modules, list(part._modules.items())) for part in parts if part._modules
        ]
        self._counts: list[tuple[Mapping[str, Any], int]] = [
            (holder, len(holder))
            for part in parts
            for holder in (part._parameters, part._buffers, part._modules)
        ]
        self._classes = [(part, type(part), type(part).forward) for part in parts]
        # Those of the outermost module run in any case.
        self._hooks: tuple[Any, ...] = tuple(
            hooks for part in parts[1:] for hooks in (part._forward_hooks, part._forward_pre_hooks)
        )
        values = [value for _, name, value in kept if not name.startswith("_")]
        self._contents = [(one, repr(one)) for one in values if isinstance(one, CONTAINERS)]
        tensors = [one for one in values if isinstance(one, torch.Tensor)]
        self._tensors = [(one, one._version) for one in tensors if not one.is_inference()]

    def changed(self) -> str | None:
        """Return what is not as it was, or None."""
        for own, size in self._sizes:
            if len(own) != size:
                return "a module has other attributes than when it was exported"
        for own, name, value, kind in self._held:
            now = own.get(name)
            if now is not value and not is_same(now, value):
                return _words(kind.__name__, name, now)
        for part, kind, forward in self._classes:
            if type(part) is not kind or kind.forward is not forward:
                return f"the class {kind.__name__} was changed"
        return self._changed_within()

    def _changed_within(self) -> str | None:
        for holder, children in self._children:
            if [*holder.items()] != children:
                return "a submodule was replaced"
        for content, count in self._counts:
            if len(content) != count:
                return "a parameter, buffer or submodule was added or removed"
        if any(self._hooks):
            return "a submodule has hooks"
        for value, shown in self._contents:
            if repr(value) != shown:
                return "what an attribute holds was changed"
        for tensor, version in self._tensors:
            if tensor._version != version:
                return "a tensor among the attributes was changed"
        return None


def _words(kind: str, name: str, now: object) -> str:
    if name == "training":
        return f"the mode of a {kind} is {'train()' if now else 'eval()'}"
    return f"{name} of a {kind} is not what it was"
