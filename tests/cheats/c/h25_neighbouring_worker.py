# [cheat]
# catalogue = "H25"
# title = "imports the reference from the folder of the reference's worker"
# task = "tests/cheats/tasks/short"
# policy = "custom"
# caught_by = ["no-custom-code", "runtime_error"]
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import nn


def reference_class(path: Path) -> Any:
    """The class Model of a task file."""
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)["Model"]


def newest() -> Path:
    """The reference that was written last into a folder beside this one."""
    found = list(Path.cwd().parent.glob("*/reference_*.py"))
    return max(found, key=lambda path: path.stat().st_mtime)


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reference = reference_class(newest())()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.reference(x)
        return y
