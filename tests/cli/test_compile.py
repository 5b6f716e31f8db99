"""`kernelwright compile` and `verify` on Triton kernels, without a GPU."""

from __future__ import annotations

import json

import pytest

from kernelwright.kernels.triton import TRITON
from tests.cli.kit import TASK, Shell
from tests.honest.corpus import library_source

COMPILE = ("compile", "library/softmax", "--sandbox", "process")


@pytest.fixture
def candidate(shell: Shell) -> str:
    return shell.write("mine.py", library_source(TRITON, "softmax"))


def test_facts_for_a_gpu_that_is_not_here(shell: Shell, candidate: str) -> None:
    done = shell.run(*COMPILE, candidate, "--arch", "sm_90")
    assert done.code == 0, done.err
    (line,) = done.out.splitlines()
    assert line.startswith("softmax_short on sm_90: ")
    assert "registers" in line and "occupancy" in line and "special functions" in line


def test_facts_as_json(shell: Shell, candidate: str) -> None:
    done = shell.run(*COMPILE, candidate, "--json", "--set", "COLS=20000")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["failures"] == {}
    assert [kernel["capability"] for kernel in found["kernels"]] == [80, 90, 100]
    assert {kernel["name"] for kernel in found["kernels"]} == {"softmax_long"}
    assert all(0 < kernel["occupancy"]["share"] <= 1 for kernel in found["kernels"])


def test_what_does_not_compile(shell: Shell, candidate: str) -> None:
    text = (shell.folder / candidate).read_text()
    assert text.count("i = tl.arange(0, BLOCK)") == 1
    shell.write("bad.py", text.replace("i = tl.arange(0, BLOCK)", "i = tl.arange(0, 100)"))
    done = shell.run(*COMPILE, "bad.py", "--arch", "sm_80")
    assert done.code == 1
    assert "sm_80: does not compile" in done.out and "power of 2" in done.out


def test_bad_arguments(shell: Shell, candidate: str) -> None:
    done = shell.run(*COMPILE, candidate, "--arch", "sm_42")
    assert done.code == 2 and "sm_42" in done.err and "sm_90" in done.err
    shell.write("plain.py", "import torch\nModelNew = torch.nn.Identity\n")
    done = shell.run("compile", shell.write("task.py", TASK), "plain.py")
    assert done.code == 2 and "no GPU kernels" in done.err


@pytest.mark.parametrize("before", ["", "# triton.jit\n"])
def test_a_file_that_is_no_python(shell: Shell, before: str) -> None:
    broken = shell.write("broken.py", f"{before}class ModelNew(:\n")
    done = shell.run(*COMPILE, broken)
    line = before.count("\n") + 1
    assert (done.code, done.out) == (2, "")
    assert f"'broken.py' is not valid Python: line {line}: invalid syntax" in done.err


def test_verify_says_that_it_did_not_time(shell: Shell, candidate: str) -> None:
    done = shell.run("verify", "library/softmax", candidate, "--level", "fast", "--set", "ROWS=16")
    assert done.code == 0, done.out + done.err
    assert "accepted" in done.out and "not timed: its times need a GPU" in done.out
