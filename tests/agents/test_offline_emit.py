"""Candidate files: the reference's text with another forward, valid however it was written."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import (
    compiled_candidate,
    forward_arguments,
    library_candidate,
    renamed_reference,
)
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.tasks.loader import load_task
from tests.agents.offline_kit import graph_of, imported, library_graph

NESTED = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Sequential(nn.Linear(8, 16), nn.GELU())])

    def forward(self, x):
        return self.parts[0](x)


def get_inputs():
    return [torch.randn(4, 8)]


def get_init_inputs():
    return []
"""
STYLES = {
    "kernelbench": '''
import torch
import torch.nn as nn

class Model(nn.Module):
    """
    Softmax with a docstring.
    """
    def __init__(self, scale: float):
        super(Model, self).__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Applies it.
        """
        y = x * Model.factor(self.scale)
        return torch.softmax(y, dim=Model.dim)

    @staticmethod
    def factor(scale): return scale
    dim = -1

batch_size = 16

def get_inputs():
    return [torch.rand(batch_size, 8)]

def get_init_inputs():
    return [2.0]
''',
    "one line": """
from torch import nn
class Model(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
    def forward(self, x): return (x * self.scale).softmax(-1)
def get_inputs(): return [1]
def get_init_inputs(): return [2.0]
""",
    "tabs": (
        "from torch import nn\nclass Model (nn.Module):\n\tdef __init__(self, scale):\n"
        "\t\tsuper().__init__()\n\t\tself.scale = scale\n\tdef forward(self, x):\n"
        "\t\tx = x * self.scale\n\t\treturn x.softmax(-1)\n"
    ),
    "future": """# a comment
'''Größe: ein Modul.'''
from __future__ import annotations
from torch import nn
def decorated(function): return function
class Model(nn.Module):
    '''Model of models.'''
    def __init__(self, scale: NotDefinedHere):
        super().__init__()
        self.scale = scale
    @decorated
    def forward(self, x: Tensor):
        é = x * self.scale; return é.softmax(-1)
@decorated
def get_inputs():
    return [1]
def get_init_inputs():
    return [2.0]
def rebuild(): return Model(1.0)
""",
}
BODY = ["y = 2 * x", "return torch.softmax(y, -1)"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("body", [None, BODY])
def test_the_reference_keeps_its_text(tmp_path: Path, style: str, body: list[str] | None) -> None:
    source = STYLES[style]
    if style == "future":
        source = (
            source.replace("from __future__ import annotations\n", "")
            .replace(": NotDefinedHere", "")
            .replace(": Tensor", "")
        )
    text = renamed_reference(source, body)
    names = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    assert names == {"ModelNew"}
    assert "get_inputs" not in text
    assert "get_init_inputs" not in text
    module = imported(tmp_path / "candidate.py", "import torch\n" + text)
    x = torch.randn(3, 8)
    assert torch.allclose(module.ModelNew(2.0)(x), torch.softmax(2 * x, -1))
    if style == "kernelbench":
        assert "batch_size = 16" in text
        assert "Softmax with a docstring." in text


@pytest.mark.parametrize("style", STYLES)
def test_compiled_candidates_are_valid_files(style: str) -> None:
    text = compiled_candidate(STYLES[style], "A title.", {"options": {"freezing": True}})
    compile(text, "candidate", "exec")
    assert ast.get_docstring(ast.parse(text)) == "A title."
    assert "torch.compile(ModelNew.forward, options={'freezing': True})" in text
    assert ("from __future__ import annotations" in text) is (style == "future")


def test_the_arguments_of_forward() -> None:
    assert [forward_arguments(source) for source in STYLES.values()] == [Arguments(("x",))] * 4
    assert forward_arguments("class Model(Base):\n    pass") is None
    assert forward_arguments("class Model:\n    def forward(self, a, b=1): pass") == Arguments(
        ("a", "b")
    )
    more = forward_arguments("class Model:\n    def forward(self, a, /, b, *rest, c=1): pass")
    assert more == Arguments(("a", "b"), "rest")
    assert [more.path(path) for path in ((0,), (1, "k", 2), (3, 0))] == [
        "a", "b['k'][2]", "rest[1][0]",
    ]  # fmt: skip


def test_a_library_candidate_needs_nothing_of_this_package() -> None:
    task = load_task("softmax")
    plan = design(library_graph("softmax"), Arguments(("x",)))
    future = "from __future__ import annotations\n" + task.source
    for source in (task.source, future):
        text = library_candidate(source, "A title.", plan, {"softmax.UNROLL": 2})
        compile(text, "candidate", "exec")
        assert "import kernelwright" not in text and "from kernelwright" not in text
        assert "#define UNROLL 2" in text
        imports = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import)]
        names = {alias.name.split(".")[0] for node in imports for alias in node.names}
        assert names <= {"ctypes", "functools", "hashlib", "os", "shutil", "subprocess", "torch"}


def test_parameters_of_nested_modules_are_reached(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(NESTED, "nested", "exec"), names)
    model, inputs = names["Model"](), names["get_inputs"]()
    plan = design(graph_of(model, *inputs), Arguments(("x",)))
    assert plan.kernels == ("linear_gelu",)
    text = library_candidate(NESTED, "Nested.", plan, {})
    new = imported(tmp_path / "nested.py", text).ModelNew()
    new.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.allclose(new(*inputs), model(*inputs), atol=1e-5)
