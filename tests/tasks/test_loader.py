"""KernelBench-format files: what is accepted, what is refused, and that nothing is executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.errors import TaskError
from kernelwright.tasks.loader import find_task_file, load_task
from kernelwright.tasks.suite import suite_files

PLAIN = """
import torch
import torch.nn as nn

batch_size = 16
dim = 64


class Model(nn.Module):
    def __init__(self, dim):
        super(Model, self).__init__()

    def forward(self, x):
        return torch.relu(x)


def get_inputs():
    return [torch.rand(batch_size, dim)]


def get_init_inputs():
    return [dim]
"""
INHERITING = """
import torch


class Block(torch.nn.Module):
    def forward(self, x):
        return x


class Model(Block):
    pass


M, (N, K) = 4, (8, 16)


def get_inputs():
    return [torch.rand(M, N)]


def get_init_inputs():
    return []
"""


@pytest.mark.parametrize(
    "source", [PLAIN, INHERITING, PLAIN.replace("\n", "\r\n"), "\ufeff" + PLAIN]
)
def test_kernelbench_files_load_as_they_are(tmp_path: Path, source: str) -> None:
    path = tmp_path / "1_Relu.py"
    path.write_bytes(source.encode())
    task = load_task(str(path))
    assert task.id == f"{tmp_path.name}/1_Relu"
    assert task.source.replace("\r", "") == source.replace("\r", "").removeprefix("\ufeff")
    assert [workload.name for workload in task.workloads] == ["default"]
    assert load_task(str(path)).hash == task.hash
    assert load_task(str(path), tolerance="kernelbench").hash != task.hash


BAD = {
    "": "defines no class Model",
    "class Model(:\n": "not valid Python: line 1",
    "class Other: pass": "defines no class Model",
    PLAIN.replace("def get_inputs", "def inputs"): "defines no get_inputs()",
    PLAIN.replace("def get_init_inputs", "def init_inputs"): "defines no get_init_inputs()",
    PLAIN.replace("def forward", "def call"): "has no forward()",
    PLAIN + "\0": "not valid Python",
    "(" * 5000: "not valid Python",
    "x = " + "-" * 100_000 + "1": "not valid Python",
}


@pytest.mark.parametrize(("source", "message"), BAD.items(), ids=range(len(BAD)))
def test_a_bad_file_is_one_sentence(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(TaskError, match="bad.py") as caught:
        load_task(str(path))
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert "None" not in caught.value.message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# naïve\n".encode("latin-1") + PLAIN.encode())
    with pytest.raises(TaskError, match="is not UTF-8 text"):
        load_task(str(path))


def test_missing_files_and_ids_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no task file") as caught:
        load_task(str(tmp_path / "missing.py"))
    assert caught.value.hint
    with pytest.raises(TaskError, match="is a folder without reference.py") as caught:
        load_task(str(tmp_path))
    assert f"kernelwright bench {tmp_path}" in (caught.value.hint or "")
    with pytest.raises(TaskError, match="unknown task 'sofmax'") as caught:
        load_task("sofmax")
    assert "did you mean 'library/softmax'?" in (caught.value.hint or "")
    with pytest.raises(TaskError, match="cannot read"):
        load_task("x" * 5000)
    assert find_task_file("softmax") == find_task_file("library/softmax")


def test_loading_never_executes_the_file(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    path = tmp_path / "eager.py"
    path.write_text(f"open({str(trace)!r}, 'w').close()\nraise SystemExit(3)\n{PLAIN}")
    assert load_task(str(path), {"dim": 8}).overrides == {"dim": 8}
    assert suite_files(tmp_path) == [path]
    assert not trace.exists()


def test_a_suite_is_in_natural_order_and_only_of_tasks(tmp_path: Path) -> None:
    names = ["10_b.py", "2_a.py", "1_c.py", "level2/3_d.py", "level2/²_e.py", "folder/reference.py"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PLAIN)
    (tmp_path / "helper.py").write_text("def help(): pass")
    (tmp_path / "notes.txt").write_text(PLAIN)
    found = [str(path.relative_to(tmp_path)) for path in suite_files(tmp_path)]
    assert found == ["1_c.py", "2_a.py", "10_b.py", *sorted(names[5:]), *reversed(names[3:5])]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskError, match="no task in"):
        suite_files(tmp_path / "empty")
    with pytest.raises(TaskError, match="no folder"):
        suite_files(tmp_path / "1_c.py")
