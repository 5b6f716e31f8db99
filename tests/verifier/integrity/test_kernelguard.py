"""Tests that kernelguard gives advice where it is installed, and is never in the way."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.library import Kernel
from kernelwright.prompts.exemplar import exemplar
from kernelwright.verifier.integrity import kernelguard
from kernelwright.verifier.integrity.kernelguard import advice_flags
from tests.verifier.integrity.cases import module, top

installed = pytest.mark.skipif(
    importlib.util.find_spec("kernelguard") is None, reason="kernelguard is not installed"
)
THREAD = module("threading.Thread(target=print, args=(x,)).start()\nreturn x")


@installed
def test_a_match_is_a_flag_that_names_kernelguards_rule() -> None:
    (made,) = advice_flags(THREAD)
    assert (made.rule, made.severity) == ("kernelguard", "suspicious")
    assert made.evidence.startswith("THREAD_INJECTION (high): ")


@installed
def test_what_kernelguard_takes_lightly_is_info() -> None:
    (made,) = advice_flags(top("f = torch.compile(print)"))
    assert made.severity == "info"
    assert made.evidence.startswith("TORCH_COMPILE_CACHE (low): ")


@installed
@pytest.mark.parametrize("kernel", CPP.kernels.values(), ids=list(CPP.kernels))
def test_an_exemplar_matches_nothing_but_that_it_keeps_a_packed_weight(kernel: Kernel) -> None:
    found = advice_flags(exemplar(kernel.category))
    assert all(f.severity == "info" and "_version cache check" in f.evidence for f in found)


@installed
def test_a_file_in_the_current_folder_is_not_taken_for_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernelguard.py").write_text("raise SystemExit('wrong file')")
    monkeypatch.chdir(tmp_path)
    assert len(advice_flags(THREAD)) == 1


@installed
def test_the_candidate_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    advice_flags(f"open({str(trace)!r}, 'w')\n")
    assert not trace.exists()


@pytest.mark.parametrize("text", ["def f(:", "", "\0", "\ud800"])
def test_nonsense_has_no_advice(text: str) -> None:
    assert advice_flags(text) == []


def test_no_package_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelguard, "PACKAGE", "a_package_that_is_not_there")
    assert advice_flags(THREAD) == []


@installed
def test_no_answer_in_time_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernelguard, "TIMEOUT_S", 0.001)
    assert advice_flags(THREAD) == []
