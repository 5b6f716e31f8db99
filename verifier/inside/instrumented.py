"""Stand-in for the candidate that an instrumented worker loads: a stand-alone file.

The judge appends a line to its text that defines `build`. Inputs come in shared memory, of which
the sanitizer knows nothing; the candidate gets copies, which lie between redzones.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any

import torch


def watched(path: str, entry_point: str) -> Callable[..., torch.nn.Module]:
    """Return the entry point of the candidate at `path`; its instances have hooks on `forward`."""
    os.environ.pop("LD_PRELOAD", None)  # for this process, not for the compilers that it starts
    name = f"{__name__}_candidate"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = candidate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(candidate)

    def build(*arguments: Any) -> torch.nn.Module:
        model: torch.nn.Module = getattr(candidate, entry_point)(*arguments)
        model.register_forward_pre_hook(with_copies)
        model.register_forward_hook(look)
        return model

    return build


def with_copies(model: torch.nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Return copies of the inputs to call with; announce all that can be told apart by name."""
    copies: list[torch.Tensor] = []

    def copied(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor.clone())
        announce(f"input {len(copies) - 1}", copies[-1])
        return copies[-1]

    for name, tensor in model.state_dict().items():
        announce(name, tensor)
    return mapped(inputs, copied)


def look(model: torch.nn.Module, inputs: Any, outputs: Any) -> None:
    """Touch all of the outputs."""
    mapped(outputs, read)


def read(tensor: torch.Tensor) -> None:
    """Read all of a tensor by a call that the sanitizer watches: freed or short memory shows."""
    storage = storage_of(tensor)
    if storage is not None:
        ctypes.string_at(storage.data_ptr(), storage.nbytes())


def announce(what: str, tensor: torch.Tensor) -> None:
    """Say where a tensor lies, for reports to name it."""
    storage = storage_of(tensor)
    if storage is not None:
        print(f"@tensor {what} {storage.data_ptr():#x}", file=sys.stderr, flush=True)


def storage_of(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    """Return a tensor's memory, or None: other layouts, subclasses and extra state have none."""
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    return tensor.untyped_storage() if plain and tensor.layout == torch.strided else None


def mapped(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """Return a nest with every tensor replaced by `function` of it."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        items = [mapped(item, function) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: mapped(item, function) for key, item in value.items()}
    return value
