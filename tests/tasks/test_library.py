"""The tasks that come with the package, and what a task.toml may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.errors import TaskError, UsageError
from kernelwright.schema import Limits
from kernelwright.tasks.loader import LIBRARY, effective_source, library_ids, load_task
from kernelwright.tasks.suite import suite_files
from tests.tasks.test_loader import PLAIN


def test_there_are_at_least_twelve() -> None:
    assert len(library_ids()) >= 12
    assert len(suite_files(LIBRARY)) == len(library_ids())


@pytest.mark.parametrize("identity", library_ids())
def test_every_task_has_sizes_for_both_devices(identity: str) -> None:
    task = load_task(identity)
    assert task.id == identity
    assert task.category
    for target in ("cpu", "cuda"):
        roles = [w.role for w in task.workloads if w.target == target]
        assert roles.count("bench") == 1
        assert "test" in roles
    sources = {effective_source(task, workload) for workload in task.workloads}
    assert len(sources) == len(task.workloads)


def test_some_tasks_keep_a_size_to_themselves() -> None:
    roles = {name: [w.role for w in load_task(name).workloads] for name in library_ids()}
    assert [name for name, found in roles.items() if "hidden" in found] == [
        "library/layernorm",
        "library/matmul_bias_gelu",
        "library/softmax",
    ]


def write(folder: Path, toml: str) -> str:
    (folder / "reference.py").write_text(PLAIN)
    (folder / "task.toml").write_text(toml)
    return str(folder)


def test_a_task_folder_adds_workloads(tmp_path: Path) -> None:
    toml = """
        description = "words"
        category = "elementwise"
        limits = { call_timeout_s = 5 }
        [[workloads]]
        name = "odd"
        role = "hidden"
        overrides = { dim = 7, batch_size = 3 }
    """
    task = load_task(write(tmp_path, toml), {"dim": 9})
    assert (task.category, task.limits) == ("elementwise", Limits(call_timeout_s=5))
    assert task.overrides_for(task.workloads[0]) == {"dim": 9, "batch_size": 3}
    assert task.workloads[0].role == "hidden"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[workloads]", "not valid TOML"),
        ("id = 'mine'", "unknown setting 'id'"),
        ("overrides = { dim = 1 }", "unknown setting 'overrides'"),
        ("workload = []", "unknown setting 'workload'"),
        ("limits = { ram = 1 }", "limits.ram"),
        ("workloads = 3", "workloads"),
        ("workloads = []", "names of their own"),
        ("workloads = [{ name = 'a' }, { name = 'a' }]", "names of their own"),
        ("workloads = [{ name = 'a', target = 'tpu' }]", "workloads.0.target"),
        ("workloads = [{ name = 'a', overrides = { Dim = 1 } }]", "no module-level constant 'Dim'"),
    ],
)
def test_a_bad_task_toml_is_one_sentence(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_task(write(tmp_path, toml))
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_task_toml_that_is_no_text(tmp_path: Path) -> None:
    folder = write(tmp_path, "")
    (tmp_path / "task.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TaskError, match="not UTF-8"):
        load_task(folder)
