"""Backends by name, and the backend that is guessed from a candidate file."""

from __future__ import annotations

import pytest

from kernelwright.backends.registry import guess_backend, open_backend, require_backends
from kernelwright.errors import PrerequisiteError, UsageError
from tests.verifier.kit import candidate


def test_triton_is_timed_on_gpus_only() -> None:
    with pytest.raises(PrerequisiteError, match="is timed on 'cpu'"):
        require_backends(("triton",))
    assert [b.name for b in require_backends(("triton",), timed=False)] == ["triton"]
    assert [b.name for b in require_backends(("triton", "cpp"), "cuda")] == ["triton"]


def test_unknown_names_and_missing_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown backend 'tritn'"):
        open_backend("tritn")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert [backend.name for backend in require_backends(("cpp", "torch"))] == ["torch"]
    with pytest.raises(PrerequisiteError, match="no-such-compiler") as caught:
        require_backends(("cpp", "inductor"))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from torch.utils.cpp_extension import load_inline", "cpp"),
        ("import ctypes", "cpp"),
        ("ModelNew = torch.compile(Model)", "inductor"),
        ("import triton\n@triton.jit\ndef f(): pass", "triton"),
        ("load_inline('x', cpp_sources='', cuda_sources=SOURCE)", "cuda"),
        ("torch.cuda._compile_kernel(SOURCE, 'x')", "cuda"),
        ("import torch", "torch"),
    ],
)
def test_a_candidate_file_shows_its_backend(source: str, name: str) -> None:
    assert guess_backend(source) == name
    assert candidate(source, name).hash != candidate(source, "other").hash
