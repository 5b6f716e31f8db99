"""Tests of classes in files: how they are imported, and where their inputs come from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kernelwright.errors import UsageError
from kernelwright.tasks.export.files import class_module, class_task
from kernelwright.tasks.loader import load_task

HELPERS = "import torch\n\n\ndef twice(x):\n    return torch.relu(x) * 2\n"
MODULE = """
import torch
from torch import nn
from helpers import twice


class Model(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x, *, scale=1.0, skip=None):
        y = twice(self.linear(x)) * scale
        return y if skip is None else y + skip


ready = Model(4)


def get_inputs():
    return [torch.randn(3, 8)]


def get_init_inputs():
    return []
"""
INPUTS = """
import torch


def get_inputs():
    return [torch.randn(5, 16)]


def get_init_inputs():
    return [16]


def get_kwargs():
    return {"scale": 0.5, "skip": torch.randn(5, 16)}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    known = set(sys.modules)
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "mine_of_test.py").write_text(MODULE)
    (tmp_path / "inputs_of_test.py").write_text(INPUTS)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_a_file_that_imports_another_gets_the_right_hint(folder: Path) -> None:
    path = folder / "mine_of_test.py"
    with pytest.raises(UsageError) as caught:
        load_task(str(path))
    assert "'helpers' (line 4)" in caught.value.message
    assert f"kernelwright optimize {path}:Model" in (caught.value.hint or "")
    task = class_task(f"{path}:Model", None, "default")
    assert task.id == f"{folder.name}/Model" and "helpers" not in task.source


def test_inputs_come_from_a_file_of_their_own(folder: Path) -> None:
    path = folder / "mine_of_test.py"
    found = class_task(f"{path}:Model", folder / "inputs_of_test.py", "default")
    assert "(16, 16)" in found.source and "scale=0.5" in found.source
    assert "def forward(self, x, skip)" in found.source


def test_inputs_come_from_saved_tensors(folder: Path) -> None:
    path = folder / "mine_of_test.py"
    torch.save({"x": torch.randn(3, 8), "skip": torch.randn(3, 8)}, folder / "named.pt")
    torch.save(torch.randn(3, 4), folder / "one.pt")
    _, args, kwargs = class_module(f"{path}:Model", folder / "named.pt")
    assert args == () and set(kwargs) == {"x", "skip"}
    module, args, _ = class_module(f"{path}:ready", folder / "one.pt")
    assert module(*args).shape == (3, 4)


def test_a_file_of_a_package_is_imported_as_a_part_of_it(folder: Path) -> None:
    package = folder / "package_of_test"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/__init__.py"):
        (package / name).write_text("")
    (package / "helpers.py").write_text(HELPERS)
    text = MODULE.replace("from helpers", "from ..helpers")
    (package / "deep" / "block.py").write_text(text)
    assert "relu" in class_task(f"{package}/deep/block.py:Model", None, "default").source
    with pytest.raises(UsageError, match="imports its package"):
        load_task(str(package / "deep" / "block.py"))


BAD = {
    "nothing.py:Model": "no file",
    "mine_of_test.py:Modle": "defines no Modle",
    "mine_of_test.py:twice": "not a torch.nn.Module",
    "broken.py:Model": "can't be imported: ModuleNotFoundError",
    "bare.py:Model": "defines no get_inputs",
    "picky.py:Model": "fails: TypeError",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_classes(folder: Path, name: str) -> None:
    (folder / "broken.py").write_text("import no_such_package\n")
    (folder / "bare.py").write_text("from torch import nn\n\n\nclass Model(nn.Linear):\n    pass\n")
    picky = "from torch import nn\n\n\nclass Model(nn.Linear):\n    pass\n\n\n"
    (folder / "picky.py").write_text(picky + "def get_inputs():\n    return []\n")
    with pytest.raises(UsageError, match=BAD[name]) as caught:
        class_task(f"{folder}/{name}", None, "default")
    assert caught.value.hint or name in ("nothing.py:Model", "broken.py:Model")


def test_bad_inputs(folder: Path) -> None:
    path = folder / "mine_of_test.py"
    (folder / "text.pt").write_text("no tensors")
    for name, word in (("none.pt", "No such file"), ("text.pt", "no saved tensors")):
        with pytest.raises(UsageError, match=word):
            class_task(f"{path}:Model", folder / name, "default")
    with pytest.raises(UsageError, match="names a class"):
        load_task(f"{path}:Model")
