"""Tests of `kernelwright.optimize` and `verify` up to where a run begins, and of their import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import kernelwright
from kernelwright.errors import UsageError
from kernelwright.live import optimize as front
from kernelwright.schema import RunStatus
from kernelwright.store.store import open_store
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import checked_task
from kernelwright.tasks.loader import task_of
from tests.store import samples

X = torch.randn(4, 8)


def test_importing_it_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import kernelwright; "
        "assert kernelwright.__version__; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))
    heavy = {"torch", "pydantic", "typer", "rich", "sqlalchemy", "langgraph", "numpy"}
    assert "kernelwright" in loaded and not loaded & heavy


def test_verify_needs_neither_a_search_nor_a_database() -> None:
    code = (
        "import sys, kernelwright; kernelwright.verify; "
        "print([name for name in ('langgraph', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_front_has_these_names() -> None:
    assert set(kernelwright.__all__) <= set(dir(kernelwright))
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        _ = kernelwright.optimise


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"atempts": 3}, r"optimize\(\) has no argument 'atempts'"),
        ({"attempts": 0}, "attempts = 0"),
        ({"search": "bem"}, "bem"),
        ({"target": "cuda"}, "module.to"),
    ],
)
def test_a_bad_setting_is_refused_before_anything_is_done(
    settings: dict[str, Any], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        kernelwright.optimize(nn.Linear(8, 8), (X,), store=str(tmp_path / "db"), **settings)
    said = f"{caught.value.message} {caught.value.hint}"
    assert word.replace("\\", "") in said, said
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a class"):
        kernelwright.optimize(nn.Linear, (X,))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown task"):
        kernelwright.optimize("no_such_task")
    candidate = tmp_path / "candidate.py"
    candidate.write_text("class ModelNew: ...\n")
    with pytest.raises(UsageError, match="unknown level"):
        kernelwright.verify("softmax", candidate, "slow")


@pytest.mark.parametrize("status", ["interrupted", "done"])
def test_a_run_of_another_task_is_not_continued(tmp_path: Path, status: RunStatus) -> None:
    location = str(tmp_path / "runs.db")
    with open_store(location) as opened:
        opened.add_run(samples.run(status=status))
        opened.add_task(samples.RUN_ID, samples.task())
    with pytest.raises(UsageError, match="is not of 'live/Linear'"):
        kernelwright.optimize(nn.Linear(8, 8), (X,), run=samples.RUN_ID, store=location)


def test_a_run_of_another_module_of_that_name_is_not_continued(tmp_path: Path) -> None:
    location = str(tmp_path / "runs.db")
    source = checked_task(nn.Linear(8, 8), CallForm(nn.Linear(8, 8).forward, (X,), {})).source
    with open_store(location) as opened:
        opened.add_run(samples.run(status="done"))
        opened.add_task(samples.RUN_ID, task_of(source, "live/Linear"))
    with pytest.raises(UsageError, match="computes something else"):
        other = nn.Linear(8, 8, bias=False)
        kernelwright.optimize(other, (X,), run=samples.RUN_ID, store=location)


def test_an_interrupt_says_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(front, "optimize_task", interrupted)
    location = str(tmp_path / "runs.db")
    with pytest.raises(KeyboardInterrupt):
        kernelwright.optimize(
            nn.Linear(8, 8), (X,), store=location, out=tmp_path / "out", sandbox="process"
        )
    (run,) = kernelwright.runs(store=location)
    assert run["status"] == "interrupted" and run["task"] == "live/Linear"
    said = capsys.readouterr().err
    assert f"to continue: optimize(module, args, run={run['run']!r})" in said
    task = tmp_path / "out" / run["run"] / "Linear.py"
    assert "class Model" in task.read_text()
