"""Numbers of the caller's and of the module's are read at run time by the files that are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.trace import trace
from kernelwright.schema import Level, Task
from tests.agents.offline_kit import imported
from tests.verifier import kit
from tests.verifier.correctness.test_check import checking

MODEL = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift, self.twin, self.factor, self.off = 0.3, 0.7, 0.7, 0.0
            self.norm = nn.LayerNorm(33, eps=3e-4)
            self.leaky = nn.LeakyReLU(0.25)

        def forward(self, x, scale=1.0, residual=None, eps=1e-5):
            {body}

    def get_inputs():
        return [torch.randn(8, 33), 0.5, torch.randn(8, 33), 2e-3]

    def get_init_inputs():
        return []
"""
POINTWISE = """
            y = self.leaky(x * scale + self.shift) - self.off
            return torch.clamp(y * self.factor + self.twin * residual, -2.0, scale)
"""


def task(body: str) -> Task:
    return kit.task(MODEL.format(body=body.strip()))


def made(subject: Task) -> tuple[str | None, list[str]]:
    """Return the file that is made for a task, and the notes."""
    notes: list[str] = []
    with kit.live_reference(subject) as reference:
        graph = trace(reference, notes.append)
    names = forward_arguments(subject.source)
    assert names is not None
    plan = design(graph, names) if graph else None
    text = library_candidate(subject.source, "Numbers.", plan, {}) if plan else None
    return text, notes


@pytest.fixture(autouse=True)
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "build"))


def models(text: str, subject: Task, folder: Path) -> tuple[Any, Any]:
    names: dict[str, Any] = {}
    exec(compile(subject.source, "reference", "exec"), names)
    return names["Model"](), imported(folder / "candidate.py", text).ModelNew()


@pytest.mark.parametrize(
    "body",
    [
        POINTWISE,
        "return nn.functional.layer_norm(x + residual, (33,), None, None, eps)",
        "return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * scale",
        "return torch.softmax(x @ residual.transpose(-2, -1) / scale, -1) @ x",
        "return torch.softmax(x[None] @ residual[None].transpose(-2, -1) * scale, -1) @ x[None]",
    ],
)
def test_numbers_of_the_caller_are_arguments(body: str, tmp_path: Path) -> None:
    subject = task(body)
    text, notes = made(subject)
    assert text is not None and not notes
    level: Level = "strict"
    with checking(subject, tmp_path, level) as check:
        found = check(text)
    assert found.correctness is not None
    assert found.correctness.moved_numbers >= 3


def test_numbers_of_the_module_are_read_at_run_time(tmp_path: Path) -> None:
    subject = task(POINTWISE.replace("(x * scale", "(self.norm(x) * scale"))
    text, _notes = made(subject)
    assert text is not None
    own, new = models(text, subject, tmp_path)
    x, residual = torch.randn(2, 8, 33)
    with torch.inference_mode():
        for name, value in (("shift", 0.9), ("twin", -0.2), ("factor", 1.5), ("", 0.0)):
            for model in (own, new):
                setattr(model, name or "shift", value)
                model.norm.eps = model.leaky.negative_slope = 0.4
            expected = own(x, 0.8, residual, 0.1)
            assert torch.allclose(new(x, 0.8, residual, 0.1), expected, atol=1e-5), name


def test_equal_numbers_of_the_module_are_told_apart(tmp_path: Path) -> None:
    text, _notes = made(task(POINTWISE))
    assert text is not None
    for name in ("self.twin", "self.factor", "self.shift", "self.leaky.negative_slope"):
        assert text.split("def forward")[1].count(name) == 1
    assert "self.off" not in text.split("def forward")[1]  # zero is not moved


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return x * (2 * scale) + residual", "1.0 becomes 0.99"),
        ("return x + residual if scale == 0.5 else x * scale", "depends on a number"),
        ("return torch.relu(x)[: int(scale * 4)] * eps", "depends on a number"),
    ],
)
def test_what_depends_on_a_number_in_another_way_has_no_kernel(body: str, words: str) -> None:
    text, notes = made(task(body))
    assert text is None
    assert len(notes) == 1
    assert words in notes[0]


def test_arguments_that_get_inputs_leaves_out_are_constants(tmp_path: Path) -> None:
    subject = task("return torch.relu(x) * scale + self.shift")
    source = subject.source.replace(", 0.5, torch.randn(8, 33), 2e-3]", "]")
    subject = subject.model_copy(update={"source": source})
    text, notes = made(subject)
    assert text is not None and not notes
    own, new = models(text, subject, tmp_path)
    x = torch.randn(8, 33)
    assert torch.allclose(own(x), new(x), atol=1e-6)
