"""A proven file in ordinary interpreters; tests/attacks/test_ordinary.py has other sandboxes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.reproduce.ordinary import INTERPRETERS, predicted, run_ordinarily
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Limits, OrdinaryRun, Origin, Task
from tests.reproduce.test_script import MIXED_UP, RIGHT, TASK
from tests.sandbox.kit import opened

# Runs in an ordinary interpreter only, and prints what could be taken for an answer.
PARTICULAR = f"""
import os, sys
assert not os.environ["GLIBC_TUNABLES"], "a tuned allocator"
assert "OMP_NUM_THREADS" not in os.environ, "a chosen number of threads"
assert sys.flags.isolated, "the user's own packages"
assert not any(name.startswith("kernelwright") for name in sys.modules), "a fork of ours"
assert len(os.sched_getaffinity(0)) == {len(os.sched_getaffinity(0))}, "some of the cores"
print('{{"right": true, "rows": []}}')
{RIGHT}
"""
CRASH = f"import ctypes\n{RIGHT}".replace("self.calls += 1", "ctypes.string_at(8)")
AT_EXIT = f"import atexit\natexit.register(print, '{{}}')\n{RIGHT}"
HANGS = f"import time\ntime.sleep(600)\n{RIGHT}"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with opened("process") as sandbox:
        yield Machine(sandbox, 1, "cpu")


def ran(machine: Machine, text: str, folder: Path, limit_s: float = 60.0) -> OrdinaryRun:
    (folder / "build" / "bin").mkdir(parents=True)
    limits = Limits(build_timeout_s=limit_s / 2, call_timeout_s=limit_s / 2)
    task = Task(id="tests/my-task", source=TASK, limits=limits)
    candidate = Candidate(source=text, backend="torch", origin=Origin(kind="user"))
    return run_ordinarily(machine, task, candidate, folder / "build")


def test_five_fresh_interpreters_give_a_ratio_each(machine: Machine, tmp_path: Path) -> None:
    found = ran(machine, PARTICULAR, tmp_path)
    assert (found.right, found.problem) == (True, None)
    assert found.speedup is not None and len(found.speedups) == INTERPRETERS
    low, high = found.speedup.pi95
    assert low < found.speedup.median < high
    assert found.eager_us and found.candidate_us


def test_a_wrong_file_is_named_and_not_timed(machine: Machine, tmp_path: Path) -> None:
    found = ran(machine, MIXED_UP, tmp_path)
    assert found.right is False and found.speedup is None
    assert found.problem and "values are wrong" in found.problem


@pytest.mark.parametrize(
    ("text", "right", "words"),
    [
        (CRASH, False, "SIGSEGV"),
        ("raise OSError('nothing here')", None, "OSError: nothing here"),
        ("import os\nos._exit(3)", None, "exit code 3"),
        (AT_EXIT, None, "{}"),
        ("import os\nos.kill(os.getpid(), 9)", None, "SIGKILL"),
    ],
)
def test_a_file_that_fails_there_is_told_with_the_reason(
    machine: Machine, tmp_path: Path, text: str, right: bool | None, words: str
) -> None:
    found = ran(machine, text, tmp_path)
    assert found.right is right and found.speedup is None
    assert found.problem and words in found.problem


def test_a_file_that_hangs_is_ended(machine: Machine, tmp_path: Path) -> None:
    found = ran(machine, HANGS, tmp_path, limit_s=5.0)
    assert found.right is None and found.problem == "it did not end within 5 s"


def test_the_interval_is_that_of_one_more_draw() -> None:
    # scipy.stats.t.ppf(0.975, 4) = 2.776; s = 0.5 sqrt(2.5) of the logs -1, -0.5, 0, 0.5, 1.
    logs = (-1.0, -0.5, 0.0, 0.5, 1.0)
    found = predicted([2.718281828459045**value for value in logs])
    assert found.median == 1.0
    assert found.pi95 == pytest.approx((1 / 11.063, 11.063), rel=1e-3)
    assert not found.is_faster
    same = predicted([2.0] * 5)
    assert same.pi95 == pytest.approx((2.0, 2.0)) and same.is_faster


def test_a_run_has_times_or_a_problem() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        OrdinaryRun(right=True)
    with pytest.raises(ValueError, match="not right"):
        OrdinaryRun(right=None, speedup=predicted([1.0] * 5))
    json.loads(OrdinaryRun(right=None, problem="busy").model_dump_json())
