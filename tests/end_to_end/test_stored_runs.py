"""Runs of version c9a64af are continued as if nothing had changed; see `tests/compat`."""

from __future__ import annotations

import json

import pytest

from tests.compat.kit import BLEND, CHAIN, RECORDING, STORED_RUNS, Old
from tests.compat.scripted import (
    BENCH,
    CLOSED,
    CLOSED_IN_PLACE,
    LERP,
    edit,
    environment,
    role_of,
    script,
    whole,
)
from tests.llm.loopback import Loopback

LACKING = ("halving", "policy")
"""Settings that a version before them would not have stored."""


@pytest.mark.timeout(900)
def test_an_interrupted_run_is_resumed(old: Old, provider: Loopback) -> None:
    """Check that stored steps and attempts stay, that the rest is added, and that the run ends.

    A setting that is not stored counts as its default.
    """
    (run,) = old.runs("optimize", "interrupted")
    old.change_config(run, {"attempts": 4}, LACKING)
    before = old.attempts(run)
    provider.respond = script(edit(CLOSED, CLOSED_IN_PLACE), whole(LERP))
    done = old.run("runs", "resume", run, "--json", **environment(provider))
    assert done.code in (0, 1), done.err
    after = old.attempts(run)
    assert len(before) == 2 and after[:2] == before
    # The third attempt's plan is in a checkpoint: only its code is asked for.
    asked = [role_of(request) for request in provider.asked]
    assert asked == ["coder", "profiler", "planner", "coder"]
    assert len(after) == 4
    assert CLOSED_IN_PLACE in json.loads(after[2][-1])["candidate"]["source"]
    assert old.rows("SELECT status FROM runs WHERE id = ?", run) == ["done"]
    assert json.loads(done.out)["run_id"] == run


@pytest.mark.timeout(900)
def test_a_recording_of_earlier_prompts_says_what_it_lacks(old: Old) -> None:
    """Check that it is read, that what is asked now is not in it, and that nothing is lost."""
    (old.shell.folder / "here.jsonl").write_text(RECORDING.read_text())
    (run,) = old.runs("optimize", "interrupted")
    old.change_config(run, {"model": "replay:here.jsonl", "record": None}, ())
    before = old.attempts(run)
    done = old.run("runs", "resume", run)
    assert "here.jsonl holds no answer to request" in done.err + done.out
    assert old.attempts(run)[:2] == before


@pytest.mark.timeout(900)
def test_the_same_bench_command_continues_its_run(old: Old) -> None:
    """Check that the name made from the command is the stored one, and what was done stays."""
    (run,) = old.runs("bench", "interrupted")
    query = "SELECT * FROM task_results WHERE run_id = ? AND task_id = ?"
    before = old.rows(query, run, CHAIN), old.attempts(run)
    done = old.run(*BENCH, "--json")
    assert done.code in (0, 1), done.err
    document = json.loads(done.out)
    assert document["run_id"] == run
    assert [task["task_id"] for task in document["tasks"]] == [CHAIN, BLEND]
    assert f"{CHAIN}: " not in done.err and f"{BLEND}: running the reference" in done.err
    assert old.rows(query, run, CHAIN) == before[0] != []
    assert old.attempts(run)[: len(before[1])] == before[1]
    assert old.rows("SELECT COUNT(*) FROM runs") == [len(STORED_RUNS)]


def test_a_bench_run_without_some_settings_is_continued(old: Old) -> None:
    """Check that a setting which its version did not store counts as the default."""
    (run,) = old.runs("bench", "interrupted")
    old.change_config(run, {}, LACKING)
    said = old.run_until("running the reference", *BENCH)
    assert f"{BLEND}: running the reference" in said
    assert old.rows("SELECT COUNT(*) FROM runs") == [len(STORED_RUNS)]
