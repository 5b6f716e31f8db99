"""Tests of the answer: one honest sentence, and what it has where nothing was found."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from kernelwright.errors import PrerequisiteError, UsageError
from kernelwright.live.optimized import Live, Optimized
from kernelwright.report.result import REPORT
from kernelwright.store.results import TaskResult
from tests.store import samples


def answer(folder: Path, result: TaskResult, live: Live | None = None) -> Optimized:
    is_win = result.status == "improved"
    (folder / REPORT).write_text('<p class="x">a & b</p>')
    (folder / "it_optimized.py").write_text("class ModelNew: ...\n")
    file = folder / "it_optimized.py" if is_win else None
    notes = ("library: nothing, because of aten.fft",)
    return Optimized("run-1", result, folder, file, () if is_win else notes, live)


def test_nothing_found_says_why(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    found = answer(
        tmp_path, TaskResult(task_id="live/it", status="no_improvement"), Live(module, ())
    )
    assert not found.found and found.speedup is None and found.source is None
    assert found.module is module and not found.fallbacks
    assert repr(found) == (
        "live/it: nothing found, because: No candidate was accepted; keep the reference; "
        "library: nothing, because of aten.fft"
    )


def test_what_was_found_is_said_with_its_scope(tmp_path: Path) -> None:
    module, fast = nn.Linear(2, 2), nn.Linear(2, 2)
    found = answer(tmp_path, samples.improved(), Live(module, ("mode: eval()", "gain=2.0"), fast))
    assert found.found and found.module is fast and found.source == "class ModelNew: ...\n"
    assert found.speedup is not None and found.speedup.is_faster
    assert "the speed of eager PyTorch; proven for" in repr(found)
    assert "mode: eval(); gain=2.0" in repr(found) and "constructor" not in repr(found)


def test_a_file_that_failed_in_front_of_the_module_is_not_handed_over(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    live = Live(module, (), problem="on other values, it gives another value than the original")
    found = answer(tmp_path, samples.improved(), live)
    assert not found.found and found.module is module and found.speedup is None
    assert "a file was proven, but on other values" in repr(found)
    assert found.source is not None, "the file itself is proven"


def test_a_file_has_no_module(tmp_path: Path) -> None:
    found = answer(tmp_path, samples.improved())
    with pytest.raises(UsageError, match="no live module") as caught:
        _ = found.module
    assert "it_optimized.py" in (caught.value.hint or "")


def test_the_report_shows_itself_and_all_is_saved(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    found = answer(tmp_path / "run", samples.improved())
    shown = found.report()._repr_html_()
    assert "&lt;p class=&quot;x&quot;&gt;a &amp; b" in shown and shown.startswith("<iframe")
    assert repr(found.report()) == str(tmp_path / "run" / REPORT)
    saved = found.save(tmp_path / "kept" / "deep")
    assert (saved / "it_optimized.py").is_file() and (saved / REPORT).is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError):
        found.save(tmp_path / "file" / "below")
