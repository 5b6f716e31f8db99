"""Data stored by version c9a64af, read as before: see `make.py` for how it was made."""

from __future__ import annotations

import json

import pytest

from kernelwright.agents.model.ledger import Asked
from kernelwright.llm.replay import Replay
from kernelwright.store.rows import encode
from kernelwright.store.store import open_existing
from kernelwright.tasks.loader import load_task
from tests.compat.kit import BLEND, CHAIN, DATA, RECORDING, STORED_RUNS, Old, recorded
from tests.compat.scripted import CLOSED

ROWS = {"sft": 0, "grpo": 2, "preference": 0, "attempts": 7}
"""Numbers of rows of all runs together. The earlier version exported 3 and 2 as `sft` and
`preference`; it tried no uses, so that none of its wins is taught from here on."""


def test_paths_are_in_settings_only() -> None:
    """Check that another folder may take the place of `/home/user`: no hash is made over it."""
    lines = (DATA / "store.sql").read_text(encoding="utf-8").splitlines()
    with_paths = [line for line in lines if "/home/user" in line]
    assert with_paths and all(line.startswith('INSERT INTO "runs"') for line in with_paths)
    assert "/home/user" not in RECORDING.read_text(encoding="utf-8")


def test_runs_are_listed_and_shown(old: Old) -> None:
    """Check `runs list` and `runs show`, for people and as JSON."""
    listed = json.loads(old.run("runs", "list", "--json").out)
    assert [(run["command"], run["status"]) for run in listed] == STORED_RUNS
    words = old.run("runs", "list").out
    for run in listed:
        shown = old.run("runs", "show", run["id"], "--json")
        assert shown.code == 0, shown.err
        document = json.loads(shown.out)
        assert document["run"] == run and run["id"] in words
        assert len(document["attempts"]) == len(old.attempts(run["id"])) > 0
        assert run["status"] in old.run("runs", "show", run["id"]).out


def test_an_attempt_made_by_an_edit_is_shown(old: Old) -> None:
    """Check that the edit, the file it made and its verdict are there."""
    (run,) = old.runs("optimize", "interrupted")
    shown = old.run("runs", "show", run, "--attempt", "2")
    assert shown.code == 0, shown.err
    assert "<<<<<<< SEARCH" in shown.out and CLOSED in shown.out
    document = json.loads(old.run("runs", "show", run, "--attempt", "2", "--json").out)
    assert CLOSED in document["attempt"]["candidate"]["source"]
    assert document["attempt"]["evaluation"]["status"] == "passed"
    assert [call["role"] for call in document["calls"]] == ["planner", "coder", "profiler"]


def test_reports_are_written(old: Old) -> None:
    """Check `runs report` of each run."""
    for number, run in enumerate(old.rows("SELECT id FROM runs")):
        done = old.run("runs", "report", run, "--out", f"{number}.html")
        assert done.code == 0, done.err
        text = (old.shell.folder / f"{number}.html").read_text(encoding="utf-8")
        assert run in text and "tasks/" in text


@pytest.mark.parametrize("format", ROWS)
def test_runs_are_exported(old: Old, format: str) -> None:
    """Check that an export has the rows that the earlier version's had, or says why it has none."""
    runs = old.rows("SELECT id FROM runs ORDER BY started")
    done = old.run("export", *runs, "--format", format, "--out", "rows.jsonl")
    if not ROWS[format]:
        assert done.code == 1 and "in its uses too" in done.err
        return
    assert done.code == 0, done.err
    lines = (old.shell.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == ROWS[format]
    assert {json.loads(line)["task_id"] for line in lines} <= {CHAIN, BLEND}


def test_a_task_is_still_the_same(old: Old) -> None:
    """Check hashes of stored tasks, and of the same files loaded today."""
    stored = old.rows("SELECT run_id, task_id, task_hash FROM run_tasks")
    with open_existing(old.store) as store:
        found = [
            (run.id, task.id, task.hash)
            for run in store.list_runs(None)
            for task in store.tasks_of(run.id)
        ]
    assert sorted(found) == sorted(stored)
    now = {load_task(str(old.shell.folder / f"{name}.py")).hash for name in (CHAIN, BLEND)}
    assert now == {task_hash for _, _, task_hash in stored}


def test_a_recording_gives_its_answers() -> None:
    """Check that every recorded request is answered with the recorded text."""
    replay, lines = Replay(RECORDING), recorded()
    assert len(lines) == 8  # planner, coder and profiler; the last attempt has no profiler
    for line in lines:
        asked = line.request
        answer = replay.complete(asked, deadline_s=1.0)
        assert asked.key == line.key and answer.text == line.completion.text


def test_the_ledger_finds_its_answers(old: Old) -> None:
    """Check that journaled requests still have the keys that they are looked up by."""
    columns = "run_id, task_id, attempt, key, answer, data"
    stored = old.rows(f"SELECT {columns} FROM requests")
    assert sum(answer is None for *_, answer, _ in stored) == 1  # the call that was under way
    with open_existing(old.store) as store:
        for run, task, attempt, key, answer, data in stored:
            assert Asked.model_validate_json(data).key == key
            assert store.answer_to(run, task, attempt, key) == answer


def test_a_conversation_inside_its_row_is_read(old: Old) -> None:
    """Check that calls of the earlier version have their messages, and that no row changed."""
    before = old.rows("SELECT data FROM model_calls ORDER BY run_id, task_id, number")
    with open_existing(old.store) as store:
        runs = sorted(run.id for run in store.list_runs(None))
        calls = [call for run in runs for call in store.model_calls_of(run)]
    assert calls and all(call.messages[0].role == "system" for call in calls)
    assert old.rows("SELECT data FROM model_calls ORDER BY run_id, task_id, position") == before
    assert old.rows("SELECT count(*) FROM model_calls WHERE messages IS NOT NULL") == [0]
    assert all(encode(call.messages[1]) in data for call, data in zip(calls, before, strict=True))
