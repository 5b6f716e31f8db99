"""The main job through the real command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from kernelwright.sandbox.registry import SANDBOXES
from kernelwright.schema import BUSY_MACHINE
from tests.cli.command import BRIEF
from tests.cli.kit import TASK, Shell

FAST = ("-b", "cpp", "-n", "2", "--target", "cpu")
SLOW_CANDIDATE = TASK.replace("class Model(", "class ModelNew(").replace(
    "return torch", "x.clone().sin().cos().tan()\n        return torch"
)
KERNELBENCH = """
import sys, torch
sys.path.insert(0, "FOLDER")
import reference, candidate
torch.manual_seed(42)
model = reference.Model(*reference.get_init_inputs())
torch.manual_seed(42)
new = candidate.ModelNew(*reference.get_init_inputs())
for seed in range(3):
    torch.manual_seed(seed)
    inputs = reference.get_inputs()
    with torch.no_grad():
        assert torch.allclose(model(*inputs), new(*inputs), atol=1e-4, rtol=1e-4)
assert "kernelwright" not in sys.modules
print("same")
"""


def test_optimize_writes_a_verified_drop_in_file(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BRIEF)
    task = shell.write("mine/slow.py", TASK)
    done = shell.run("optimize", task, *FAST, "--out", "result", "--json")
    document = json.loads(done.out)
    assert done.code == (0 if document["status"] == "improved" else 1), done.err
    assert document["status"] in ("improved", "no_improvement", "not_decided")
    verdict = document["verdict"]
    assert document["task"]["id"] == "mine/slow"
    assert verdict["accepted"] is True and verdict["level"] == "strict"
    assert verdict["sandbox"]["kind"] in SANDBOXES and verdict["sandbox"]["lacks"]
    assert set(verdict["speedup"]) == {"eager", "compile"}
    disturbed = any(flag["rule"] == BUSY_MACHINE for flag in verdict["flags"])
    improved = verdict["speedup"]["eager"]["ci95"][0] > 1 and not disturbed
    assert (document["status"] == "improved") == improved
    assert (document["status"] == "not_decided") == disturbed
    folder = shell.folder / "result"
    report = (folder / "report.html").read_text()
    assert "mine/slow" in report and "http://" not in report and "https://" not in report
    assert shell.left_processes() == [] and shell.left_files() == []
    if document["candidate"]["file"]:
        assert_drop_in(folder / document["candidate"]["file"], shell)
        assert document["ordinary"]["right"] is not False, document["ordinary"]
        assert_reproducible(folder)
    assert_history(shell)


def assert_drop_in(candidate: Path, shell: Shell) -> None:
    """Check that the file runs in KernelBench's own way: torch and a compiler, nothing of ours."""
    plain = shell.folder / "plain"
    plain.mkdir()
    (plain / "candidate.py").write_text(candidate.read_text())
    (plain / "reference.py").write_text(TASK)
    script = KERNELBENCH.replace("FOLDER", str(plain))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert ran.stdout.strip() == "same", ran.stderr


def assert_reproducible(folder: Path) -> None:
    """Check that the program beside the result finds it right, in a plain interpreter."""
    ran = subprocess.run(
        [sys.executable, "-I", str(folder / "reproduce.py"), "--json"],
        capture_output=True,
        text=True,
        timeout=600,
        cwd="/",
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["right"] is True


def assert_history(shell: Shell) -> None:
    """Check what `runs` and `export` make of the run."""
    listed = json.loads(shell.run("runs", "list", "--json").out)
    assert [run["status"] for run in listed] == ["done"]
    shown = json.loads(shell.run("runs", "show", listed[0]["id"], "--json").out)
    assert len(shown["attempts"]) >= 1 and len(shown["results"]) == 1
    done = shell.run("export", listed[0]["id"], "--format", "attempts", "--out", "a.jsonl")
    assert done.code == 0, done.err
    rows = (shell.folder / "a.jsonl").read_text().splitlines()
    assert len(rows) >= len(shown["attempts"])
    again = shell.run("runs", "report", listed[0]["id"], "--out", "again.html")
    assert again.code == 0 and (shell.folder / "again.html").stat().st_size > 10_000
    unknown = shell.run("runs", "show", "no-such-run")
    assert unknown.code == 2 and "hint:" in unknown.err


def test_verify_prints_one_document(shell: Shell) -> None:
    task = shell.write("task.py", TASK)
    slow = shell.write("slow.py", SLOW_CANDIDATE)
    done = shell.run("verify", task, slow, "--level", "fast", "--json")
    document = json.loads(done.out)
    assert done.code == 0 and document["accepted"] is True
    assert document["schema_version"] == 1 and document["status"] == "passed"
    assert document["speedup"]["eager"]["ci95"][0] < 1.0  # does more than the reference
    assert document["environment"]["torch"] and document["evidence"]["facts"]
    wrong = shell.write("wrong.py", SLOW_CANDIDATE.replace("* 0.5", "* 0.5001"))
    refused = shell.run("verify", task, wrong, "--level", "fast", "--json")
    document = json.loads(refused.out)
    assert refused.code == 1 and document["accepted"] is False
    assert document["status"] == "incorrect_numerical" and document["timing"] is None
    assert shell.left_processes() == [] and shell.left_files() == []


@pytest.mark.parametrize("twice", [False, True])
def test_ctrl_c_leaves_nothing_and_resume_finishes(shell: Shell, twice: bool) -> None:
    task = shell.write("task.py", TASK)
    process = shell.start("optimize", task, *FAST)
    assert process.stderr is not None
    seen = read_until(process.stderr, "attempt 1")
    process.send_signal(signal.SIGINT)
    seen += read_until(process.stderr, "once more to stop now")
    if twice:
        process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, seen + rest
    assert "runs resume" in rest and "Traceback" not in rest
    assert shell.left_processes() == [] and shell.left_files() == []
    run_id = rest.strip().rpartition(" ")[2]
    listed = json.loads(shell.run("runs", "list", "--json").out)
    assert [(run["id"], run["status"]) for run in listed] == [(run_id, "interrupted")]
    resumed = shell.run("runs", "resume", run_id, "--json")
    document = json.loads(resumed.out)
    assert resumed.code in (0, 1) and document["run_id"] == run_id, resumed.err
    shown = json.loads(shell.run("runs", "show", run_id, "--json").out)
    assert [attempt["index"] for attempt in shown["attempts"]] == list(
        range(len(shown["attempts"]))
    )
    assert shown["run"]["status"] == "done"


def read_until(stream: IO[str], text: str) -> str:
    """Return the lines up to the first that contains `text`."""
    seen = ""
    for line in stream:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")
