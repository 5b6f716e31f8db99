"""A module, a fast path for it, and the guarded file of both."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice

REFERENCE = '''
"""A block."""
import torch
from torch import nn


def norm(x, eps):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + eps)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.eps = 1e-5

    def forward(self, x):
        return norm(self.linear(x), self.eps)


class Model(nn.Module):
    def __init__(self, width, act="relu"):
        super().__init__()
        self.block = Block(width)
        self.gain = nn.Parameter(torch.ones(width))
        self.register_buffer("offset", torch.zeros(width))
        self.act = act

    def forward(self, x, scale: float = 1.0, residual=None):
        y = self.block(x) * self.gain * scale + self.offset
        y = torch.relu(y) if self.act == "relu" else torch.tanh(y)
        return y if residual is None else y + residual


def get_inputs():
    return [torch.randn(4, 8), 0.5]


def get_init_inputs():
    return [8]
'''
FORWARD = """    def forward(self, x, scale: float = 1.0, residual=None):
        CALLS.append(1)
        linear = self.block.linear
        y = norm(torch.addmm(linear.bias, x, linear.weight.t()), self.block.eps)
        return torch.relu(y * self.gain * scale + self.offset)
"""
CONSTRUCTOR = REFERENCE.partition("    def forward(self, x, scale")[0]
SAME_CONSTRUCTOR = CONSTRUCTOR.replace("class Model", "CALLS = []\n\n\nclass ModelNew") + FORWARD
OWN_CONSTRUCTOR = """
import torch
from torch import nn

CALLS = []


def norm(x, eps):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (x.var(-1, keepdim=True) + eps)


class Holder(nn.Module):
    pass


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block = Holder()
        self.block.linear = nn.Linear(width, width)
        self.gain = nn.Parameter(torch.empty(width))
        self.register_buffer("offset", torch.empty(width))

    def forward(self, x, scale=1.0):
        CALLS.append(1)
        linear = self.block.linear
        y = norm(torch.addmm(linear.bias, x, linear.weight.t()), 1e-5)
        return torch.relu(y * self.gain * scale + self.offset)
"""
FAMILY = Family(
    constructor=[8],
    names=["x", "scale", "residual"],
    arguments=[{"tensor": ["float32", ["n", 8], [0, 1]]}, {"number": [-0.5, 4.0]}],
    sizes={"n": (1, 16)},
    modules={"block": "Block", "block.linear": "torch.nn.modules.linear.Linear"},
    attributes={"": {"act": "relu"}, "block": {"eps": 1e-5}},
    state={
        "gain": ("float32", [8], [1]),
        "block.linear.weight": ("float32", [8, 8], [8, 1]),
        "block.linear.bias": ("float32", [8], [1]),
        "offset": ("float32", [8], [1]),
    },
)
SCOPE = Scope(device="cpu", families=(FAMILY,))


def guarded(candidate: str = SAME_CONSTRUCTOR, reference: str = REFERENCE) -> str:
    """Return the guarded file of a candidate."""
    return splice(reference, candidate, SCOPE, "A block.")


def loaded(source: str, folder: Path, name: str = "guarded_block") -> Any:
    """Return the module of a Python text; it can be imported by its name, as for pickle."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
