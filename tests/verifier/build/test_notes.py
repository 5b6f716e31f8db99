"""Tests of the compiler's notes: they are there, and the machine code is the same without them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kernelwright.kernels.cpp import KERNELS, kernel_part
from kernelwright.verifier.build.notes import COMPILER
from kernelwright.verifier.inside import disassemble_cpu, vectorizer_notes

FLAGS = ["-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
RECURRENCE = """#include <cstdint>
extern "C" void smooth(const float* x, float* y, int64_t n) {
  float s = 0;
  for (int64_t i = 0; i < n; ++i) {
    s = s * 0.5f + x[i];
    y[i] = s;
  }
}
"""


def built(folder: Path, source: str, noted: bool) -> Path:
    """Compile a source like the loader does, with or without the script that asks for notes."""
    tools = folder / "bin"
    tools.mkdir(parents=True)
    (tools / "cc1plus").write_text(COMPILER)
    (tools / "cc1plus").chmod(0o755)
    environment = {**os.environ, **({"COMPILER_PATH": str(tools)} if noted else {})}
    command = ["g++", *FLAGS, "-x", "c++", "-", "-o", str(folder / "built.so")]
    subprocess.run(command, input=source.encode(), check=True, env=environment)
    return folder


@pytest.mark.parametrize("name", ["rms_norm", "linear_gelu"])
def test_notes_leave_the_machine_code_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source, digests = kernel_part(KERNELS[name], {}).source, []
    for noted in (False, True):
        folder = built(tmp_path / str(noted), source, noted)
        monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
        digests.append(disassemble_cpu.digest({}))
    assert digests[0] is not None
    assert digests[0] == digests[1]


def test_a_loop_that_is_not_vectorised_is_noted_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built(tmp_path, RECURRENCE, noted=True)
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
    found = vectorizer_notes.missed({}, "bin")
    assert {line for line, _ in found} & {4, 5}
    assert all(reason for _, reason in found)
    text = disassemble_cpu.disassembled(str(folder / "built.so"))
    at = [int(line.split(":")[0], 16) for line in disassemble_cpu.innermost(text)]
    lines = disassemble_cpu.annotated({}, str(folder / "built.so"), at)
    assert {one["line"] for one in lines} & {5, 6}
    assert all(one["file"].endswith("<stdin>") for one in lines if one["line"])
    assert all(not one["file"].startswith("/usr/") for one in lines)
    (folder / "bin" / "of-another-file.missed").write_text("")
    assert vectorizer_notes.missed({}, "bin") == []
