"""The C++ loader: files are kept by source and platform, and parameters stay alive for the call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.kernels.library import text_of

SOURCE = 'extern "C" double twice(double x) { return 2 * x; }'


def loader() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text_of("cpp/loader.py"), names)
    return names


def key(folder: Path, monkeypatch: pytest.MonkeyPatch, features: str, compiler: str) -> str:
    """Return the name of the file that is built for a platform."""
    monkeypatch.setenv("CXX", compiler)
    names = loader()
    real = open

    def opened(path: Any, *args: Any, **kwargs: Any) -> Any:
        if path == "/proc/cpuinfo":
            replaced = folder / "cpuinfo"
            replaced.write_text(f"processor : 0\nflags : {features}\n")
            return real(replaced, *args, **kwargs)
        return real(path, *args, **kwargs)

    names["open"] = opened
    before = set(folder.glob("*.so"))
    names["compile_cpp"](SOURCE, "twice", "d")
    built = set(folder.glob("*.so")) - before
    return built.pop().name if built else "none"


def test_another_cpu_or_compiler_has_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    other = tmp_path / "other-g++"
    other.write_text('#!/bin/sh\nexec g++ "$@"\n')
    other.chmod(0o755)
    first = key(tmp_path, monkeypatch, "avx2", "g++")
    assert key(tmp_path, monkeypatch, "avx2", "g++") == "none"  # found again
    others = [
        key(tmp_path, monkeypatch, "avx2 avx512f", "g++"),
        key(tmp_path, monkeypatch, "avx2", str(other)),
    ]
    os.utime(other, (1, 1))  # as after an update
    others.append(key(tmp_path, monkeypatch, "avx2", str(other)))
    assert len({first, "none", *others}) == 5


def test_a_parameter_that_is_not_contiguous_lives_until_the_call() -> None:
    names = loader()
    strided = torch.arange(8.0)[::2]
    kept = names["optional"](strided)
    assert names["pointer"](kept) == kept.data_ptr() != strided.data_ptr()
    assert names["optional"](None) is names["pointer"](None) is None
