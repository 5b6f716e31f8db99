# [cheat]
# catalogue = "H25"
# title = "imports the task's own file from the installation of the worker"
# task = "library/softmax"
# policy = "custom"
# caught_by = ["no-custom-code", "runtime_error"]
from __future__ import annotations

import importlib.util
import sys
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


WORKER = Path(str(sys.modules["__main__"].__file__)).resolve()
TASK = "tasks/library/softmax/reference.py"
FOUND = [path for up in WORKER.parents[:3] for path in up.glob(TASK)]


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reference = reference_class(FOUND[0])()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.reference(x)
        return y
