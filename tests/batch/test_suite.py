"""Tests of a run over many tasks, with a search that answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from kernelwright.agents.engine import Engine
from kernelwright.batch import suite
from kernelwright.batch.alone import alone, has_died
from kernelwright.batch.run import OpenRun, finish, open_run
from kernelwright.batch.suite import missing_tasks, results_so_far, run_suite
from kernelwright.config import Settings
from kernelwright.errors import InfrastructureError, TaskError, UsageError
from kernelwright.schema import BUSY_MACHINE, Flag, Task
from kernelwright.store.results import TaskResult
from kernelwright.store.store import open_store
from tests.store import samples
from tests.verifier import kit

TASKS = [kit.task("").model_copy(update={"id": f"suite/{name}"}) for name in "abc"]
BROKEN, UNUSABLE, FINE = TASKS


@pytest.fixture
def opened(tmp_path: Any) -> Iterator[OpenRun]:
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        run = samples.run()
        store.add_run(run)
        yield OpenRun(run, store, cast(Engine, None))


@pytest.fixture
def asked(opened: OpenRun, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the search; return the ids of the tasks that it was asked for."""
    asked: list[str] = []

    def optimize_task(_engine: Engine, task: Task) -> TaskResult:
        asked.append(task.id)
        if task is BROKEN:
            raise InfrastructureError("the sandbox has gone")
        if task is UNUSABLE:
            raise TaskError("no inputs")
        result = TaskResult(task_id=task.id, status="no_improvement")
        opened.store.add_task_result(opened.run.id, result)
        return result

    monkeypatch.setattr(suite, "optimize_task", optimize_task)
    return asked


def test_an_error_becomes_the_result_of_its_task(opened: OpenRun, asked: list[str]) -> None:
    told: list[str] = []
    found = run_suite(opened, TASKS, lambda task: told.append(task.id))
    assert [(r.status, r.error) for r in found.results] == [
        ("error", "the sandbox has gone"),
        ("unusable", "no inputs"),
        ("no_improvement", None),
    ]
    assert asked == told == [task.id for task in TASKS]
    assert (found.run.status, found.has_improved) == ("done", False)
    assert found.document()["metrics"]["errors"] == 1


def test_tasks_with_an_answer_are_not_asked_for_again(opened: OpenRun, asked: list[str]) -> None:
    run_suite(opened, TASKS)
    assert missing_tasks(opened, TASKS) == [BROKEN, UNUSABLE]
    again = run_suite(opened, TASKS)
    assert asked[len(TASKS) :] == [BROKEN.id, UNUSABLE.id]
    assert len(again.results) == len(TASKS)


BUSY = Flag(rule=BUSY_MACHINE, severity="suspicious", evidence="others used these cores")


def undecided(task: Task) -> TaskResult:
    made = samples.candidate()
    final = samples.evaluation(made, 1.5, flags=(BUSY,), level="strict", for_task=task)
    return TaskResult(
        task_id=task.id, status="not_decided", candidate_hash=made.hash, evaluation=final
    )


def test_an_undecided_task_is_put_off_and_tried_once_more(
    opened: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def optimize_task(_engine: Engine, task: Task) -> TaskResult:
        asked.append(task.id)
        calm = task is FINE or (task is UNUSABLE and asked.count(task.id) == 2)
        result = TaskResult(task_id=task.id, status="no_improvement") if calm else undecided(task)
        opened.store.add_task_result(opened.run.id, result)
        return result

    monkeypatch.setattr(suite, "optimize_task", optimize_task)
    told: list[str] = []
    found = run_suite(opened, TASKS, lambda task: told.append(task.id))
    assert asked == told == ["suite/a", "suite/b", "suite/c", "suite/a", "suite/b"]
    assert [r.status for r in found.results] == ["not_decided", "no_improvement", "no_improvement"]


def test_what_was_put_off_last_waits_longest(opened: OpenRun) -> None:
    store, new = opened.store, TASKS[0].model_copy(update={"id": "suite/new"})
    for task in TASKS:
        store.add_task(opened.run.id, task)
        store.add_task_result(opened.run.id, undecided(task))
    for task in (UNUSABLE, BROKEN, UNUSABLE):
        store.add_event(opened.run.id, f"{task.id}: {suite.PUT_OFF}: the machine was busy")
    missing = missing_tasks(opened, [*TASKS, new])
    assert missing == [new, FINE, BROKEN, UNUSABLE]


def test_an_interrupted_run_names_the_tasks_that_it_did_not_reach(
    opened: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def optimize_task(_engine: Engine, task: Task) -> TaskResult:
        if task is UNUSABLE:
            raise KeyboardInterrupt
        result = TaskResult(task_id=task.id, status="no_improvement")
        opened.store.add_task_result(opened.run.id, result)
        return result

    monkeypatch.setattr(suite, "optimize_task", optimize_task)
    with pytest.raises(KeyboardInterrupt):
        run_suite(opened, TASKS)
    found = results_so_far(opened, TASKS, "interrupted")
    assert (found.run.status, found.waiting) == ("interrupted", ("suite/b", "suite/c"))
    assert found.metrics.tasks == 3 and found.document()["waiting"] == ["suite/b", "suite/c"]
    assert [record.task.id for record in opened.store.task_records(found.run)] == [
        task.id for task in TASKS
    ]


def test_an_unknown_strategy_begins_no_run(tmp_path: Path) -> None:
    settings = Settings(search="gredy", store=f"{tmp_path}/store.db", sandbox="process")
    with pytest.raises(UsageError, match="gredy"), open_run("bench", settings, {}):
        pass
    with open_store(settings.store) as store:
        assert store.list_runs(None) == []


def test_a_run_ends_once_and_lasts_as_long_as_its_result_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(engine: Engine, task: Task) -> TaskResult:
        result = TaskResult(task_id=task.id, status="no_improvement")
        engine.store.add_task_result(engine.run_id, result)
        return result

    monkeypatch.setattr(suite, "optimize_task", answered)
    settings = Settings(store=f"{tmp_path}/store.db", cache_dir=tmp_path, sandbox="process")
    with open_run("bench", settings, {}) as opened:
        found = run_suite(opened, [FINE])
    with open_store(settings.store) as store:
        assert store.get_run(found.run.id) == found.run
    assert found.run.status == "done" and found.run.ended is not None


def test_a_run_that_fails_after_its_end_has_failed(tmp_path: Path) -> None:
    settings = Settings(store=f"{tmp_path}/store.db", cache_dir=tmp_path, sandbox="process")
    with pytest.raises(OSError), open_run("optimize", settings, {}) as opened:
        finish(opened.store, opened.run, "done")
        raise OSError("the folder is full")
    with open_store(settings.store) as store:
        failed = store.list_runs(None)[0]
    assert (failed.status, failed.error) == (
        "failed",
        "internal error: OSError: the folder is full",
    )


def test_a_failed_run_says_why_until_it_goes_on(tmp_path: Path) -> None:
    settings = Settings(store=f"{tmp_path}/store.db", cache_dir=tmp_path, sandbox="process")
    with pytest.raises(TaskError), open_run("optimize", settings, {}, "mine"):
        raise TaskError("no inputs")
    with open_store(settings.store) as store:
        assert store.get_run("mine").error == "no inputs"
    with open_run("optimize", settings, {}, "mine") as opened:
        assert opened.run.error is None


def test_a_run_whose_process_is_gone_has_died(tmp_path: Path) -> None:
    left = samples.run(status="running")
    assert has_died(left) and not has_died(samples.run(status="interrupted"))
    with alone(left.id):
        assert not has_died(left)
        with pytest.raises(UsageError, match="another process"), alone(left.id):
            pass
    assert has_died(left)


@pytest.mark.parametrize("is_earlier", [True, False])
def test_only_an_earlier_versions_default_may_be_another_now(
    tmp_path: Path, is_earlier: bool
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/store.db", sandbox="process", target="cpu")
    config = {**settings.model_dump(mode="json"), "coder_answers": "file"}
    if is_earlier:
        del config["workflow"]  # it had none
    with open_store(settings.store) as store:
        store.add_run(samples.run("20260101-000000-abcd", config=config, status="interrupted"))
    if is_earlier:
        with open_run("bench", settings, {}, "20260101-000000-abcd") as opened:
            assert opened.run.config["coder_answers"] == "file"
    else:
        with (
            pytest.raises(UsageError, match="with other settings: coder_answers"),
            open_run("bench", settings, {}, "20260101-000000-abcd"),
        ):
            pass
