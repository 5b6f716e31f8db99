"""The `cuda` backend: the compilers that it can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.backends import cuda
from kernelwright.backends.cuda import Cuda
from kernelwright.backends.registry import require_backends
from kernelwright.errors import PrerequisiteError

Releases = Callable[[str | None, str | None], None]


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Releases:
    def pretend(nvcc: str | None, torch: str | None) -> None:
        monkeypatch.setattr(cuda, "nvcc_release", lambda: nvcc)
        monkeypatch.setattr(cuda, "torch_release", lambda: torch)

    return pretend


def test_either_compiler_will_do(releases: Releases) -> None:
    for nvcc, torch in (("13.0", None), (None, "12.8"), ("12.4", "12.8")):
        releases(nvcc, torch)
        assert Cuda().availability().ok
    assert "nvcc 12.4 NVRTC 12.8" in Cuda().toolchain()


def test_none_and_two_that_do_not_go_together(releases: Releases) -> None:
    releases(None, None)
    assert "no CUDA compiler" in Cuda().availability().reason
    releases("11.8", "13.0")
    availability = Cuda().availability()
    assert not availability.ok
    assert "CUDA 11.8" in availability.reason and "CUDA 13.0" in availability.hint


def test_it_is_for_gpus_only() -> None:
    with pytest.raises(PrerequisiteError, match="runs on 'cpu'"):
        require_backends(("cuda",), timed=False)


def test_releases_are_read_from_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 12.9, V12.9.41'\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert cuda.nvcc_release.__wrapped__() == "12.9"
    monkeypatch.setenv("CUDA_HOME", "/nowhere")
    assert cuda.nvcc_release.__wrapped__() is None
    found = cuda.TORCH_CUDA.search("cuda: Optional[str] = '13.0'\nhip = None\n")
    assert found is not None and found.group(1) == "13.0"
    assert cuda.TORCH_CUDA.search("cuda: Optional[str] = None\n") is None
