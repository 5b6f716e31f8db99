"""The adapter of `module` tasks: files in KernelBench's format.

A reference's file defines `Model`, `get_inputs()` and `get_init_inputs()`; a candidate's a class
with the same constructor and `forward`. See `tasks/kinds/module.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def maker(names: Mapping[str, Any], entry_point: str) -> Callable[..., torch.nn.Module]:
    """Return what makes an instance of constructor arguments: the class."""
    made: Callable[..., torch.nn.Module] = names[entry_point]
    return made


def constructor_arguments(names: Mapping[str, Any]) -> list[Any]:
    """Return the arguments that a reference's file gives its constructor."""
    return list(names["get_init_inputs"]())


def inputs(names: Mapping[str, Any]) -> list[Any]:
    """Return a fresh set of a reference's inputs, from torch's generator."""
    return list(names["get_inputs"]())
