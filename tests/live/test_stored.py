"""Tests of stored runs as plain dictionaries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kernelwright
from kernelwright.errors import UsageError
from kernelwright.store.store import open_store
from tests.report.story import improved_task, unlucky_task
from tests.store import samples


@pytest.fixture
def store(tmp_path: Path) -> str:
    location = str(tmp_path / "runs.db")
    with open_store(location) as opened:
        opened.add_run(samples.run(status="done", ended=samples.run().started + 60))
        for record in (improved_task(), unlucky_task()):
            opened.add_task(samples.RUN_ID, record.task)
            for attempt in record.attempts:
                opened.add_attempt(attempt)
            assert record.result is not None
            opened.add_task_result(samples.RUN_ID, record.result)
    return location


def test_runs_are_plain_dictionaries(store: str) -> None:
    (found,) = kernelwright.runs(store=store)
    assert found["run"] == samples.RUN_ID and found["status"] == "done"
    assert found["tasks"] == 2 and found["improved"] == 1 and found["speedup"] > 1
    json.dumps(found)
    assert kernelwright.runs(0, store=store) == []


def test_attempts_are_rows(store: str) -> None:
    found = kernelwright.run(samples.RUN_ID[:8], store=store)
    rows = found.rows()
    json.dumps(rows)
    assert [row["attempt"] for row in rows if row["task"] == improved_task().task.id][0] == 1
    passed = next(row for row in rows if row["status"] == "passed")
    assert passed["speedup_low"] < passed["speedup"] < passed["speedup_high"]
    assert passed["accepted"] is True and passed["source"]
    assert {row["status"] for row in rows} > {"passed"}
    assert "attempts" in repr(found)
    rows[0]["run"] = "changed"
    assert found.rows()[0]["run"] == samples.RUN_ID


def test_a_wrong_name_is_answered_with_what_there_is(store: str) -> None:
    with pytest.raises(UsageError, match="unknown run 'zz'") as caught:
        kernelwright.run("zz", store=store)
    assert samples.RUN_ID in (caught.value.hint or "")
    with pytest.raises(UsageError, match=r"runs\(\) has no argument 'stor'") as caught:
        kernelwright.runs(stor=store)
    assert "'store'" in (caught.value.hint or "")
