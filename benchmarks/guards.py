"""The cost of a guard: a guarded call beside its fast path's, by operands and parameters."""

from __future__ import annotations

import runpy
import statistics
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice

OPERANDS = (1, 2, 4, 8)
PARAMETERS = (0, 1, 2, 4, 8, 16)
SHAPE = (4, 8)
CALLS, REPEATS = 1000, 40
MODULE = """import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        for number in range({parameters}):
            setattr(self, f"p{{number}}", nn.Parameter(torch.ones(8)))

    def forward(self, {operands}):
        return {body}
"""


def cost() -> dict[str, Any]:
    """Return microseconds of the guard of each module, and the line through them."""
    rows = [_row(operands, parameters) for operands in OPERANDS for parameters in PARAMETERS]
    columns = [[1.0, row["operands"], row["parameters"]] for row in rows]
    measured = [row["guard_us"] for row in rows]
    (base, operand, parameter), *_ = np.linalg.lstsq(np.array(columns), np.array(measured))
    return {
        "base_us": round(float(base), 3),
        "operand_us": round(float(operand), 3),
        "parameter_us": round(float(parameter), 3),
        "unguarded_call_us": round(statistics.median(row["fast_us"] for row in rows), 3),
        "rows": rows,
    }


def _row(operands: int, parameters: int) -> dict[str, Any]:
    module = _loaded(operands, parameters)
    inputs = [torch.randn(SHAPE) for _ in range(operands)]
    guarded, fast = module["ModelNew"](), module["ModelNew"].implementation()
    with torch.inference_mode():
        # In turn, so that both see the same machine; the fastest of each, as others only slow it.
        pairs = [(_us(guarded, inputs), _us(fast, inputs)) for _ in range(REPEATS)]
        fastest = [min(side) for side in zip(*pairs, strict=True)]
    fallbacks = sum(module["ModelNew"].fallbacks.values())
    assert fallbacks == 0, module["ModelNew"].fallbacks
    return {
        "operands": operands,
        "parameters": parameters,
        "fast_us": round(fastest[1], 3),
        "guard_us": round(fastest[0] - fastest[1], 3),
    }


def _us(module: Callable[..., Any], inputs: list[torch.Tensor]) -> float:
    return timeit.timeit(lambda: module(*inputs), number=CALLS) / CALLS * 1e6


def _loaded(operands: int, parameters: int) -> dict[str, Any]:
    """Return the names of a guarded file, whose fast path does next to nothing."""
    names = [f"x{number}" for number in range(operands)]
    form = {"parameters": parameters, "operands": ", ".join(names)}
    reference = MODULE.format(**form, body="x0 + 0")
    candidate = MODULE.format(**form, body="x0").replace("Model(", "ModelNew(")
    tensor = {"tensor": ["float32", list(SHAPE), [0, 1]]}
    state = {f"p{number}": ("float32", [8], [1]) for number in range(parameters)}
    family = Family(constructor=[], names=names, arguments=[tensor] * operands, state=state)
    text = splice(reference, candidate, Scope(device="cpu", families=(family,)), "Measured.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guarded.py"
        path.write_text(text)
        return runpy.run_path(str(path))
