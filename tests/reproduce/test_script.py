"""`reproduce.py`, run as a user runs it: by an interpreter that knows nothing of us."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kernelwright.reproduce.files import candidate_file_name, reproduction
from kernelwright.schema import Candidate, Origin, Task, Workload

TASK = """
import torch
from torch import nn

ROWS = 64
COLS = 32


class Model(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x, scale):
        self.calls += 1
        return {"y": torch.softmax(x * self.weight * scale, -1), "top": x.argmax(-1)}


def get_inputs():
    return [torch.randn(ROWS, COLS), 0.5]


def get_init_inputs():
    return [COLS]
"""
RIGHT = TASK.split("def get_inputs")[0].replace("class Model(", "class ModelNew(")
MIXED_UP = RIGHT.replace("softmax(x * self.weight * scale", "softmax(x * self.weight * 0.4")
COARSE = RIGHT.replace("torch.softmax(", "torch.softmax(1.00001 * ")
OTHER_FORM = RIGHT.replace("x.argmax(-1)", "x.argmax(-1).int()")
RENAMED = RIGHT.replace("self.weight", "self.gain")
NOISY = f"print('hello from the file')\n{RIGHT}"
# As a delivered file: a kernel where it can be built, else the original module.
WITHOUT_COMPILER = f"""
import subprocess, warnings
{RIGHT}
try:
    subprocess.run(["no-such-compiler-here"], check=True)
    raise AssertionError("a compiler that is not there")
except FileNotFoundError:
    warnings.warn("no compiler: the original forward runs")
"""
FAST = ("--seconds", "0", "--comparisons", "1", "--without-uses")


class Ran(NamedTuple):
    """The outcome of a program."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def task(workloads: tuple[Workload, ...] = (Workload(name="default"),)) -> Task:
    return Task(id="tests/my-task", source=TASK, workloads=workloads)


def candidate(text: str) -> Candidate:
    return Candidate(source=text, backend="torch", origin=Origin(kind="user"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a runner of reproduce.py for a file's text, from a folder that is not the result's."""
    folder, elsewhere = tmp_path / "a result", tmp_path / "elsewhere"

    def started(text: str, *arguments: str, of: Task | None = None) -> Ran:
        folder.mkdir(exist_ok=True)
        elsewhere.mkdir(exist_ok=True)
        subject = of or task()
        files = {candidate_file_name(subject.id): text}
        files |= reproduction(subject, candidate(text), "cpu", "The report says 2.00x.")
        for name, content in files.items():
            (folder / name).write_text(content)
        command = [sys.executable, "-I", "-B", str(folder / "reproduce.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=elsewhere)
        return Ran(done.returncode, done.stdout, done.stderr)

    return started


def rows(ran: Ran) -> dict[str, dict[str, Any]]:
    """Return the rows of a JSON answer by the first word of their check."""
    document = json.loads(ran.out.splitlines()[-1])
    return {row["check"].split(",")[0]: row for row in document["rows"]}


def test_a_right_file_gets_a_table_and_exit_code_0(run: Run) -> None:
    ran = run(RIGHT, "--seed", "7", "--seconds", "0", "--without-uses")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "my_task_optimized.py beside my_task_reference.py"
    table = [line for line in lines if "  right  " in line]
    assert [line.split("  ")[0] for line in table] == [
        "load_state_dict",
        "values, seed 7",
        "values, seed 8",
        "values, seed 9",
    ]
    assert len({line.index("right") for line in table}) == 1, "columns are aligned"
    assert any(line.startswith("time") and " a call; 2 rounds" in line for line in lines)
    assert lines[-2].startswith("The file returned the reference's values, at ")
    assert lines[-1] == "The report says 2.00x."


@pytest.mark.parametrize(
    ("text", "row", "words"),
    [
        (MIXED_UP, "values", "of 2048 values are wrong"),
        (COARSE, "values", "times what is allowed"),
        (OTHER_FORM, "values", "torch.int32"),
        (RENAMED, "load_state_dict", "gain"),
    ],
)
def test_a_wrong_file_gets_exit_code_1_and_its_row(
    run: Run, text: str, row: str, words: str
) -> None:
    ran = run(text, "--json", *FAST)
    assert ran.code == 1, ran.err
    found = rows(ran)
    assert found[row]["outcome"] == "WRONG" and found[row]["is_fault"]
    assert words in found[row]["detail"]
    assert "time" not in found, "a wrong file is not timed"


def test_the_table_says_that_a_file_is_wrong(run: Run) -> None:
    ran = run(MIXED_UP, *FAST)
    assert ran.code == 1
    assert "The file is WRONG here." in ran.out


def test_json_is_one_line_after_all_that_the_file_prints(run: Run) -> None:
    ran = run(NOISY, "--json", *FAST)
    hello, line = ran.out.splitlines()
    document = json.loads(line)
    assert hello == "hello from the file"
    assert document["right"] is True and document["optimized"] == "my_task_optimized.py"
    both = document["reference_us"], document["optimized_us"]
    assert min(both) > 0 and document["speedup"] > 0


def test_a_file_that_cannot_be_built_here_still_runs(run: Run) -> None:
    ran = run(WITHOUT_COMPILER, *FAST)
    assert ran.code == 0
    assert "no compiler" in ran.err
    assert "fast path" not in ran.out, "it has none"


GUARDED = f"""{RIGHT}
ModelNew.fallbacks = {{"there is no fast path here": 2}}
"""


def test_a_fast_path_that_did_not_run_is_told(run: Run) -> None:
    ran = run(GUARDED, *FAST)
    assert ran.code == 0
    assert "its fast path did not run here" in ran.out.splitlines()[-2]
    row = rows(run(GUARDED, "--json", *FAST))["fast path"]
    assert (row["outcome"], row["is_fault"]) == ("did not run", False)
    assert row["detail"] == "there is no fast path here"


def test_a_file_that_is_missing_is_named(run: Run, tmp_path: Path) -> None:
    run(RIGHT, *FAST)
    (script,) = tmp_path.rglob("reproduce.py")
    (script.parent / "my_task_reference.py").unlink()
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("my_task_reference.py", done.stderr.rindex("/") + 1)
    assert done.stderr.count("\n") == 1


def test_a_file_that_raises_gets_its_traceback_and_exit_code_1(run: Run) -> None:
    ran = run("raise ImportError('needs something that is not here')", *FAST)
    assert ran.code == 1
    assert "my_task_optimized.py" in ran.err and "needs something" in ran.err


def test_other_inputs_every_time(run: Run) -> None:
    names = {tuple(rows(run(RIGHT, "--json", *FAST))) for _ in range(2)}
    seeds = {json.dumps(json.loads(run(RIGHT, "--json", *FAST).out)["rows"][1]) for _ in range(2)}
    assert len(names) == 1 and len(seeds) == 2


def test_the_reference_has_the_constants_of_the_first_timed_workload(run: Run) -> None:
    small, large, other = (
        Workload(name="odd", overrides={"ROWS": 3}, role="test"),
        Workload(name="large", overrides={"ROWS": 128, "COLS": 16}),
        Workload(name="more", overrides={"ROWS": 256}),
    )
    several = task((small, large, other))
    ran = run(RIGHT, *FAST, of=several)
    assert ran.code == 0, ran.err
    assert "inputs of workload 'large', the first of 2 that were timed" in ran.out
    text = reproduction(several, candidate(RIGHT), "cpu")["my_task_reference.py"]
    assert "ROWS = 128\nCOLS = 16" in text


def test_help_tells_a_newcomer_what_it_does(run: Run) -> None:
    ran = run(RIGHT, "--help")
    assert ran.code == 0
    words = " ".join(ran.out.split())
    assert "needs torch alone" in words and "at most 8 times" in words


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path) -> None:
    for name, text in reproduction(task(), candidate(RIGHT), "cuda").items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-I", str(tmp_path / "reproduce.py")]
    done = subprocess.run(command, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""})
    assert (done.returncode, done.stdout) == (2, "")
    assert "is for a GPU" in done.stderr


def test_the_program_is_python_for_any_text_of_ours() -> None:
    made = reproduction(task(), candidate(RIGHT), "cpu", 'It\'s "2.00x"\n')["reproduce.py"]
    assert ast.parse(made)
