"""A tool of the worker: parts of a module that compute something else in train mode."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm


def parts(loaded: dict[str, Any], key: str) -> list[str]:
    """Return the classes of an instance's parts that are in train mode and differ in it."""
    modules = loaded[key].model.modules()
    return sorted({type(part).__name__ for part in modules if part.training and differs(part)})


def differs(part: nn.Module) -> bool:
    """Return whether a module of torch's own computes something else in eval mode."""
    if isinstance(part, _DropoutNd):
        return part.p > 0
    if isinstance(part, _InstanceNorm):
        return part.track_running_stats
    if isinstance(part, nn.RNNBase | nn.MultiheadAttention):
        return part.dropout > 0
    return isinstance(part, _BatchNorm)
