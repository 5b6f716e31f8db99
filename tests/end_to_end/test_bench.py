"""`bench`: results as they come, the same command continues."""

from __future__ import annotations

import json
import signal
import subprocess

from kernelwright.schema import BUSY_MACHINE
from tests.cli.kit import TASK, Shell
from tests.end_to_end.test_optimize import FAST, read_until

BROKEN = TASK.replace("return [torch.randn(ROWS, COLS)]", "raise RuntimeError('broken input')")


def test_bench_continues_where_it_was_interrupted(shell: Shell) -> None:
    shell.write("suite/1_First.py", TASK)
    shell.write("suite/2_Broken.py", BROKEN)
    shell.write("suite/10_Last.py", TASK.replace("0.5", "0.25"))
    command = ("bench", "suite", *FAST, "-n", "1", "--set", "ROWS=32")
    process = shell.start(*command)
    assert process.stderr is not None
    read_until(process.stderr, "suite/10_Last: running the reference")
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130 and "same command again" in rest
    assert shell.left_processes() == [] and shell.left_files() == []
    (run_folder,) = (shell.folder / "runs").iterdir()
    first = run_folder / "suite-1_First" / "result.json"
    written, was_disturbed = first.stat().st_mtime_ns, BUSY_MACHINE in first.read_text()
    done = shell.run(*command, "--json")
    document = json.loads(done.out)
    assert [task["task_id"] for task in document["tasks"]] == [
        "suite/1_First",
        "suite/2_Broken",
        "suite/10_Last",
    ]
    is_kept = first.stat().st_mtime_ns == written
    assert is_kept or was_disturbed, "a finished task was run again"
    assert document["tasks"][1]["status"] == "unusable"
    assert "broken input" in document["tasks"][1]["error"]
    metrics = document["metrics"]
    counts = [metrics[name] for name in ("tasks", "measured", "unusable", "errors")]
    assert counts == [3, 2, 1, 0]
    improved = sum(task["status"] == "improved" for task in document["tasks"])
    assert done.code == (0 if improved else 1)
    assert (run_folder / "report.html").exists()


def test_two_runs_share_one_database(shell: Shell) -> None:
    task = shell.write("task.py", TASK)
    both = [shell.start("verify", task, "missing.py"), *_optimizations(shell, task)]
    codes = [process.communicate(timeout=600) and process.returncode for process in both]
    assert codes[0] == 2 and set(codes[1:]) <= {0, 1}
    listed = json.loads(shell.run("runs", "list", "--json").out)
    assert sorted(run["status"] for run in listed) == ["done", "done"]


def _optimizations(shell: Shell, task: str) -> list[subprocess.Popen[str]]:
    return [shell.start("optimize", task, *FAST, "-n", "1") for _ in range(2)]
