"""A live module in, a module out: the whole way, from Python and from a class in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import kernelwright
from tests.cli.command import BRIEF
from tests.cli.kit import TASK, Shell

MINE = """
import torch
from torch import nn
from shapes import ROWS


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(width))

    def forward(self, x, *, skip):
        return torch.sigmoid(torch.nn.functional.silu(x) + self.bias) * x + skip


def get_inputs():
    return [torch.randn(ROWS, 1024)]


def get_init_inputs():
    return [1024]


def get_kwargs():
    return {"skip": torch.randn(ROWS, 1024)}
"""


class Gate(nn.Module):
    """A chain of elementwise operators with a parameter and an option."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(width))

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        y = torch.sigmoid(torch.nn.functional.silu(x) + self.bias) * x
        return y if skip is None else y + skip


def test_a_live_module_gets_a_fast_path_or_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    module, x = Gate(1024).eval(), torch.randn(64, 1024)
    places: dict[str, Any] = {"store": str(tmp_path / "db"), "cache_dir": tmp_path / "cache"}
    found = kernelwright.optimize(module, (x,), {"skip": x}, attempts=1, backends="cpp", **places)
    (row,) = kernelwright.run(found.run_id, store=places["store"]).rows()
    assert row["task"] == "live/Gate" and row["status"] == "passed"
    with torch.inference_mode():
        torch.testing.assert_close(found.module(x, skip=x), module(x, skip=x))
        assert not found.fallbacks
        torch.testing.assert_close(found.module(x), module(x))
    assert isinstance(found.module, Gate) and found.module.bias is module.bias
    if found.found:
        assert found.fallbacks.total() == 1 and found.speedup is not None
        assert "the speed of eager PyTorch" in repr(found)
        again = kernelwright.optimize(module, (x,), {"skip": x}, run=found.run_id, **places)
        assert again.source == found.source
    else:
        assert found.module is module and "because: " in repr(found)
    assert Path(found.report()).is_file()


def test_a_candidate_is_judged(tmp_path: Path) -> None:
    task, right, wrong = (tmp_path / name for name in ("task.py", "right.py", "wrong.py"))
    task.write_text(TASK)
    right.write_text(TASK.replace("class Model(", "class ModelNew("))
    wrong.write_text(TASK.replace("class Model(", "class ModelNew(").replace("0.5", "0.51"))
    places: dict[str, Any] = {"cache_dir": tmp_path / "cache", "overrides": {"ROWS": 16}}
    verdict = kernelwright.verify(task, right, "fast", **places)
    assert verdict.accepted and verdict.speedup["eager"].median > 0
    verdict = kernelwright.verify(task, wrong, "fast", **places)
    assert not verdict.accepted and verdict.status == "incorrect_numerical"


def test_a_class_of_a_package_with_keyword_arguments(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BRIEF, raising=False)
    shell.write("shapes.py", "ROWS = 64\n")
    shell.write("mine.py", MINE)
    done = shell.run("optimize", "mine.py:Gate", "-b", "cpp", "-n", "1", "--json", "--out", "out")
    assert done.code in (0, 1), done.err
    document = json.loads(done.out)
    assert document["task"]["id"].endswith("/Gate") and document["verdict"]["accepted"]
    assert shell.left_processes() == []
