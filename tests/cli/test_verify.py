"""`verify` on several files: one that can't be judged stops no other."""

from __future__ import annotations

import json

from tests.cli.kit import TASK, Shell

GOOD = TASK.replace("class Model(", "class ModelNew(")
WRONG = GOOD.replace("* 0.5", "* 0.6")


def test_one_bad_file_stops_no_other(shell: Shell) -> None:
    task = shell.write("task.py", TASK)
    files = [shell.write("empty.py", "x = 1\n"), "missing.py", shell.write("good.py", GOOD)]
    files.append(shell.write("wrong.py", WRONG))
    common = ("--level", "fast", "--sandbox", "process")
    done = shell.run("verify", task, *files, *common)
    assert done.code == 2, done.err
    assert "empty.py: not judged: 'empty.py' defines no ModelNew" in done.out
    assert "missing.py: not judged: cannot read candidate 'missing.py'" in done.out
    assert "good.py: accepted" in done.out and "wrong.py: refused" in done.out
    assert "in the output of shape [64, 1024] on workload 'default'" in done.out
    assert "the first is at [" in done.out
    assert "it is plain PyTorch: torch's own operators, no kernel" in done.out
    lines = shell.run("verify", task, *files[1:3], *common, "--json").out.splitlines()
    missing, good = map(json.loads, lines)
    assert missing["candidate"] == {"file": "missing.py"} and "cannot read" in missing["error"]
    assert good["accepted"] is True and good["candidate"]["file"] == "good.py"


def test_files_that_are_all_bad_are_an_error(shell: Shell) -> None:
    task = shell.write("task.py", TASK)
    done = shell.run("verify", task, "missing.py", shell.write("empty.py", "x = 1\n"))
    assert (done.code, done.out) == (2, "") and "cannot read candidate 'missing.py'" in done.err
