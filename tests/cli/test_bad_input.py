"""Bad inputs: one clear sentence, a hint, the right exit code, no half-written result."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.cli.kit import ROOT, TASK, Shell

MODEL = TASK.split("def get_inputs")[0]
INIT = "\n\ndef get_init_inputs():\n    return []\n"
TINY_LIMIT = '[limits]\ncall_timeout_s = 4\nmemory_bytes = 500_000_000\n[[workloads]]\nname = "w"\n'

LOCAL = ("-m", "openai-api/local/small")
SERVER = {"LOCAL_API_KEY": "no key", "LOCAL_BASE_URL": "http://127.0.0.1:9/v1"}
CPUS = len(os.sched_getaffinity(0))

BAD_FILES = {
    "syntax": ("class Model(:", "line 1", "not valid Python"),
    "no-model": ("x = 1\n", "no class Model", "get_inputs"),
    "no-inputs": (MODEL + INIT, "no get_inputs()", "hint:"),
    "no-forward": (
        "from torch import nn\nclass Model(nn.Module):\n    x = 1\n\n\n"
        "def get_inputs():\n    return []\n" + INIT,
        "no forward()",
        "hint:",
    ),
}
BAD_REFERENCES = {
    "raises": ("    raise ValueError('boom')", "boom", "hint:"),
    "no-tensors": ("    return []", "returns no tensor", "hint:"),
    "memory": ("    return [torch.ones(1 << 32)]", "out_of_memory", "--set"),
}


def assert_clean(shell: Shell, error: str) -> None:
    """Check that a command left no traceback, results, processes or temporary folders."""
    assert "Traceback" not in error
    assert not list(shell.folder.glob("runs/*/*"))
    assert shell.left_processes() == []
    assert [name for name in shell.left_files() if name.startswith("kernelwright-")] == []


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_task_files(shell: Shell, name: str) -> None:
    source, *words = BAD_FILES[name]
    done = shell.run("optimize", shell.write("bad.py", source))
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in words), done.err
    assert_clean(shell, done.err)


@pytest.mark.parametrize("name", BAD_REFERENCES)
def test_bad_references(shell: Shell, name: str) -> None:
    body, *words = BAD_REFERENCES[name]
    shell.write("bad/reference.py", MODEL + "def get_inputs():\n" + body + INIT)
    shell.write("bad/task.toml", TINY_LIMIT)
    done = shell.run("optimize", "bad", "--json")
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in words), done.err
    assert_clean(shell, done.err)


def test_a_reference_that_is_not_repeatable(shell: Shell) -> None:
    source = "import random\n" + TASK.replace("* x\n", "* x + random.random()\n")
    done = shell.run("verify", shell.write("bad.py", source), shell.write("c.py", "ModelNew = 1"))
    assert done.code == 2 and "not repeatable" in done.err and "hint:" in done.err
    assert_clean(shell, done.err)


def test_a_reference_that_takes_too_long(shell: Shell) -> None:
    slow = TASK.replace("        return", "        import time; time.sleep(60)\n        return")
    shell.write("slow/reference.py", slow)
    shell.write("slow/task.toml", TINY_LIMIT)
    done = shell.run("optimize", "slow")
    assert done.code == 2 and "timeout" in done.err and "--set" in done.err
    assert_clean(shell, done.err)


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        (["missing.py"], {}, 2, ["no task file"]),
        (["sofmax"], {}, 2, ["did you mean 'library/softmax'"]),
        (["task.py", "-m", "opneai/gpt"], {}, 2, ["did you mean"]),
        (["task.py", "-b", "cp"], {}, 2, ["unknown backend", "did you mean 'cpp'"]),
        (["task.py", "--search", "gredy"], {}, 2, ["did you mean 'greedy'"]),
        (["task.py", "--search", "os:path"], {}, 2, ["not a search strategy", "hint:"]),
        (["task.py", "-m", "os:system"], {}, 2, ["cannot be called without", "hint:"]),
        (["task.py", "--sandbox", "dcoker"], {}, 2, ["sandbox", "process"]),
        (["task.py", "--threads", "9999"], {}, 2, [f"this process may use {CPUS} CPU"]),
        (["task.py"], {"KERNELWRIGHT_THREADS": "9999"}, 2, [f"may use {CPUS} CPU", "hint:"]),
        (["task.py", "--set", "ROW=1"], {}, 2, ["no module-level constant", "'ROWS'"]),
        (["task.py", "--set", "ROWS"], {}, 2, ["NAME=VALUE"]),
        (["task.py", "--set", "ROWS=abc"], {}, 2, ["the number 64", "--set ROWS=NUMBER"]),
        (["task.py", "--set", "ROWS=(1, 2)"], {}, 2, ["the number 64"]),
        (["task.py", "-n", "0"], {}, 2, ["attempts"]),
        (["task.py", "-m", "openai/gpt-4o"], {}, 3, ["OPENAI_API_KEY"]),
        (["task.py", *LOCAL, "--budget-usd", "2"], SERVER, 2, ["does not hold", "price ="]),
        (["task.py", "--target", "cuda:7"], {}, 3, ["GPU 7"]),
        (["task.py", "-b", "cpp"], {"CXX": "no-such-compiler"}, 3, ["no C++ compiler", "hint:"]),
        (["task.py", "--out", "/proc/nowhere"], {}, 3, ["cannot write"]),
        (["task.py", "--out", "task.py/below"], {}, 3, ["cannot write", "--out"]),
        (["task.py"], {"KERNELWRIGHT_SEDE": "1"}, 2, ["KERNELWRIGHT_SEED"]),
    ],
)
def test_bad_arguments(
    shell: Shell, arguments: list[str], env: dict[str, str], code: int, words: list[str]
) -> None:
    shell.write("task.py", TASK)
    done = shell.run("optimize", *arguments, **env)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert done.out == ""
    assert_clean(shell, done.err)
    assert shell.run("runs", "list").out == "", "something was begun"


def test_a_fault_of_ours_is_not_an_answer(shell: Shell) -> None:
    shell.write("own.py", "def broken():\n    raise RuntimeError('boom')\n")
    task = shell.write("task.py", TASK)
    path = f"{ROOT / 'src'}:{shell.folder}"
    process = shell.start("optimize", task, "-m", "own:broken", PYTHONPATH=path)
    out, error = process.communicate()
    assert (process.returncode, out) == (3, "")
    assert "internal error: RuntimeError: boom" in error and "--debug" in error
    assert_clean(shell, error)


def test_unknown_options_are_usage_errors(shell: Shell) -> None:
    done = shell.run("optimize", "softmax", "--atempts", "3")
    assert done.code == 2 and "--attempts" in done.err


def test_candidates_that_are_none(shell: Shell) -> None:
    task = shell.write("task.py", TASK)
    assert shell.run("verify", task, "missing.py").code == 2
    empty = shell.run("verify", task, shell.write("empty.py", "x = 1\n"))
    assert empty.code == 2 and "ModelNew" in empty.err
    level = shell.run("verify", task, "missing.py", "--level", "strickt")
    assert level.code == 2


def test_a_corrupt_database(shell: Shell) -> None:
    shell.write("broken.db", "this is no database" * 100)
    done = shell.run("optimize", shell.write("task.py", TASK), "--store", "broken.db")
    assert done.code == 3 and "broken.db" in done.err and "hint:" in done.err
    assert_clean(shell, done.err)
    assert (shell.folder / "broken.db").read_text().startswith("this is no database")


def test_a_result_folder_of_another_version(shell: Shell) -> None:
    shell.write("old/result.json", '{"schema_version": 0}')
    done = shell.run("optimize", shell.write("task.py", TASK), "--out", "old")
    assert done.code == 2 and "version 0" in done.err and "hint:" in done.err
    assert (shell.folder / "old" / "result.json").read_text() == '{"schema_version": 0}'
    assert_clean(shell, done.err)


FULL_DISK = """
mount -t tmpfs -o size=4k tmpfs small && head -c 4096 /dev/zero > small/fill
exec "$@"
"""


def test_a_full_disk(shell: Shell) -> None:
    (shell.folder / "small").mkdir()
    task = shell.write("task.py", TASK)
    own_mounts = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    command = [sys.executable, "-m", "kernelwright", "optimize", task, "--out", "small/out"]
    done = subprocess.run(
        [*own_mounts, "sh", "-c", FULL_DISK, "sh", *command],
        cwd=shell.folder,
        env=shell.environment({}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "cannot write" in done.stderr and "--out" in done.stderr
    assert_clean(shell, done.stderr)


def test_config_show_says_where_values_come_from(shell: Shell) -> None:
    shell.write("kernelwright.toml", "attempts = 3\n")
    done = shell.run("config", "show", KERNELWRIGHT_SEED="7")
    assert done.code == 0
    assert re.search(r"^attempts +=  *3", done.out, re.M) and "kernelwright.toml" in done.out
    assert re.search(r"^seed +=  *7  \(KERNELWRIGHT_SEED\)", done.out, re.M)
    shell.write("kernelwright.toml", "atempts = 3\n")
    wrong = shell.run("config", "show")
    assert wrong.code == 2 and "did you mean 'attempts'" in wrong.err
