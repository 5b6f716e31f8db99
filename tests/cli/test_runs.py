"""`kernelwright runs`: following a run's decisions, and continuing it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from kernelwright.sandbox.leases import try_lock
from kernelwright.schema import IdeaCard, Run, Usage
from kernelwright.store.store import open_store
from tests.agents.model_kit import TASK, attempt, file
from tests.cli.kit import TASK as FILE
from tests.cli.kit import Shell
from tests.report.test_conversation import episode
from tests.report.test_decisions import history
from tests.store import samples


@pytest.fixture
def run(shell: Shell) -> Run:
    """Return a run with seven attempts, in the user's own store."""
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_run(samples.run(command="optimize", status="interrupted"))
        store.add_task(samples.RUN_ID, TASK)
        for attempt in history():
            store.add_attempt(attempt.model_copy(update={"task_id": TASK.id}))
        call = samples.call("the answer", attempt=1)
        store.add_model_call(samples.RUN_ID, TASK.id, call)
        return store.get_run(samples.RUN_ID)


def test_a_run_lists_its_decisions(shell: Shell, run: Run) -> None:
    done = shell.run("runs", "show", run.id)
    assert done.code == 0
    assert "attempt 2: timeout: timeout in forward() [a plan]; went on from attempt 1" in done.out
    assert "attempt 4: dropped: the same file as attempt 1" in done.out


def test_the_graph_of_a_search_is_drawn(shell: Shell) -> None:
    done = shell.run("runs", "graph")
    assert done.code == 0 and "graph TD" in done.out
    for step in ("choose", "attempt", "plan", "code", "evaluate", "profile", "record"):
        assert step in done.out


def test_the_share_of_cached_tokens_is_shown(shell: Shell, run: Run) -> None:
    used = Usage(input_tokens=1000, output_tokens=9, cost_usd=0.5, cached_input_tokens=800)
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.update_run(run.id, status=run.status, usage=used)
    words = "optimize, $0.5000, 80% of the input tokens cached, "
    assert words in shell.run("runs", "show", run.id).out


def test_a_hint_waits_for_the_next_planner(shell: Shell, run: Run) -> None:
    path = shell.folder / "data" / "kernelwright" / "kernelwright.db"
    offline = shell.run("runs", "hint", run.id, "use AVX-512")
    assert offline.code == 2 and "no model" in offline.err
    with open_store(path) as store:
        model = {**run.config, "model": "openai/some-model"}
        store.add_run(samples.run("20260101-000000-abcd", config=model, status="running"))
        store.add_task("20260101-000000-abcd", TASK)
    done = shell.run("runs", "hint", "20260101", " use\n AVX-512 ")
    assert done.code == 0 and TASK.id in done.out
    assert "hint by the user: use AVX-512" in shell.run("runs", "show", "20260101").out
    assert shell.run("runs", "hint", "20260101", " ").code == 2
    with open_store(path) as store:
        assert store.take_hints("20260101-000000-abcd", TASK.id, 0) == ["use AVX-512"]
        store.update_run("20260101-000000-abcd", status="done")
    assert "is done" in shell.run("runs", "hint", "20260101", "too late").err


def test_one_attempt_with_everything(shell: Shell, run: Run) -> None:
    done = shell.run("runs", "show", run.id[:8], "--attempt", "2")
    assert done.code == 0
    for shown in (
        "attempt 2 of made/rms: went on from attempt 1",
        "--- coder: openai/some-model, 1,200 tokens in, 800 tokens out, $0.0123",
        "[user]\nMake this module faster.",
        "[answer]\nthe answer",
        "VARIANT = 1",
        "kept: not kept; repaired by attempt 3",
    ):
        assert shown in done.out
    found = json.loads(shell.run("runs", "show", run.id, "--attempt", "2", "--json").out)
    assert found["attempt"]["index"] == 1 and found["calls"][0]["answer"] == "the answer"
    assert found["tool_steps"] == []


def test_an_episode_step_by_step(shell: Shell, run: Run) -> None:
    calls, steps = episode(attempt=2)
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        for call in calls:
            store.add_model_call(run.id, TASK.id, call)
        for number, step in enumerate(steps):
            store.add_tool_step(run.id, TASK.id, 2, str(number), step)
    shown = shell.run("runs", "show", run.id, "--attempt", "3").out
    assert "my thoughts" not in shown
    _, first, second, *_ = shown.split("\n--- ")
    assert "$0.0123 so far" in first and "[answer]" not in first
    assert first.endswith("\n[calls edit, 0.2 s]\nold: a < b\nnew: c\n[result]\nedited\n")
    assert "$0.0246 so far\n\n[user]\n[1 of 9 calls]\n\n[answer]\nIt fails.\n" in second
    assert "[calls build, 2.5 s]\nflags: -O3\n[error]\nkernel.cpp:3: error" in second
    document = json.loads(shell.run("runs", "show", run.id, "--attempt", "3", "--json").out)
    assert document["tool_steps"] == [step.model_dump(mode="json") for step in steps]


def test_ideas_are_listed_with_what_became_of_them(shell: Shell, run: Run) -> None:
    ideas = (IdeaCard(text="tile", backend="cpp", expected=2.0), IdeaCard(text="in words"))
    known = {"task_id": TASK.id, "ideas": ideas, "idea": "8a"}
    planned = attempt(7, file(7), 3.0).model_copy(update=known)
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_attempt(planned)
    shown = shell.run("runs", "show", run.id)
    assert f"{TASK.id}: idea 8a: won (attempt 8): tile; 2.00× eager expected" in shown.out
    document = json.loads(shell.run("runs", "show", run.id, "--json").out)
    states = {one["name"]: one["state"] for one in document["ideas"][TASK.id]}
    assert states["8b"] == "open"
    one = shell.run("runs", "show", run.id, "--attempt", "8").out
    assert "plan: a plan [idea 8a]\n  idea 8a: won" in one and "idea 8b: open: in words" in one
    assert "idea 1" not in one


def test_what_is_not_there_is_named(shell: Shell, run: Run) -> None:
    beyond = shell.run("runs", "show", run.id, "--attempt", "8")
    assert beyond.code == 2 and "has no attempt 8" in beyond.err and "7 attempts" in beyond.err
    nobody = shell.run("runs", "show", run.id, "--attempt", "1", "--task", "made/rns")
    assert nobody.code == 2 and "did you mean 'made/rms'" in nobody.err


def test_a_task_is_known_by_the_end_of_its_id(shell: Shell, run: Run) -> None:
    other = TASK.model_copy(update={"id": "made/other"})
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_task(run.id, other)
        for task in (TASK, other):
            store.add_event(run.id, f"{task.id}: search ended: all is tried")
    one = shell.run("runs", "show", run.id, "--attempt", "2", "--task", "rms")
    assert one.code == 0 and "attempt 2 of made/rms" in one.out
    only = shell.run("runs", "show", run.id, "--task", "other").out
    assert "made/other: search ended" in only and "made/rms" not in only
    several = shell.run("runs", "show", run.id, "--attempt", "2")
    assert several.code == 2 and "has several tasks" in several.err
    unknown = shell.run("runs", "show", run.id, "--task", "rns")
    assert unknown.code == 2 and "has no task 'rns'" in unknown.err


def test_a_continued_run_says_nothing_twice(shell: Shell, run: Run) -> None:
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        for _ in range(2):
            store.add_event(run.id, f"{TASK.id}: search ended: all is tried")
    shown = shell.run("runs", "show", run.id).out
    assert shown.count("search ended") == 1


def test_the_list_says_what_came_of_each_run(shell: Shell, run: Run) -> None:
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_run(samples.run("1-won", started=1.0, config={"task": "made/rms"}))
        store.add_task("1-won", samples.task())
        store.add_task_result("1-won", samples.improved())
        failed = {"status": "failed", "error": "the disk is full"}
        store.add_run(samples.run("2-failed", started=2.0, **failed))
        store.add_run(samples.run("3-left", started=3.0, command="bench", status="running"))
        for task in (samples.task(), TASK):
            store.add_task("3-left", task)
        store.add_task_result("3-left", samples.improved())
        store.add_run(samples.run("4-runs", started=4.0, status="running"))
    with try_lock("run-4-runs"):
        lines = shell.run("runs", "list").out.splitlines()
        documents = json.loads(shell.run("runs", "list", "--json").out)
        report = shell.run("runs", "report", "3-left")
    ends = [line.split("1970-01-01 ")[-1].partition("  ")[2].strip() for line in lines]
    assert lines[0].endswith(f"  interrupted; continue with `kernelwright runs resume {run.id}`")
    assert ends[1:] == [
        "0 tasks   running",
        "2 tasks   1 of 2 improved, up to 2.31× eager; "
        "stopped; continue with the same command again",
        "0 tasks   failed: the disk is full",
        "made/rms  improved, 2.31× eager",
    ]
    assert [one["stopped"] for one in documents] == [False, False, True, False, False]
    assert documents[4]["outcomes"][0]["status"] == "improved"
    assert documents[3]["error"] == "the disk is full"
    assert report.code == 0 and "interrupted" in (shell.folder / "report.html").read_text()
    shown = shell.run("runs", "show", "3-left").out
    assert f"{TASK.id} " in shown and "not finished" in shown


@pytest.mark.parametrize(
    "command", [("runs", "list"), ("runs", "show", "a"), ("export", "a", "--format", "sft")]
)
def test_reading_makes_no_store(shell: Shell, command: tuple[str, ...]) -> None:
    out = ("--out", "rows.jsonl") if command[0] == "export" else ()
    done = shell.run(*command, *out, "--store", "nofile.db")
    assert (done.code, done.out) == (2, "")
    assert f"there is no store {shell.folder / 'nofile.db'}" in done.err and "hint:" in done.err
    assert not (shell.folder / "nofile.db").exists()


def test_a_run_without_a_task_cannot_be_resumed(shell: Shell, run: Run) -> None:
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_run(samples.run("20260902-101500-ffffff", status="interrupted"))
    done = shell.run("runs", "resume", "20260902-101500-ffffff")
    assert done.code == 2 and "stopped before it had a task" in done.err


def test_a_run_of_a_larger_machine_is_not_continued_here(shell: Shell, run: Run) -> None:
    config = {"threads": 9999, "folder": str(shell.folder)}
    with open_store(shell.folder / "data" / "kernelwright" / "kernelwright.db") as store:
        store.add_run(samples.run("20260903-101500", status="interrupted", config=config))
        store.add_task("20260903-101500", TASK)
    done = shell.run("runs", "resume", "20260903-101500")
    assert done.code == 2 and "threads = 9999 (from the stored run) is not valid" in done.err


def test_two_processes_cannot_continue_one_run(shell: Shell, run: Run) -> None:
    shell.write("suite/one.py", FILE)
    with try_lock(f"run-{run.id}") as is_locked:
        assert is_locked
        done = shell.run("bench", "suite", "--run", run.id)
    assert done.code == 2 and f"another process is working on run '{run.id}'" in done.err


def test_what_only_reads_does_not_wait_for_torch() -> None:
    script = "import sys, kernelwright.cli.progress, kernelwright.report.decisions as _"
    script += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_who_has_run_nothing_has_no_runs(shell: Shell) -> None:
    done = shell.run("runs", "list", "--json")
    assert (done.code, done.out.strip()) == (0, "[]")
    assert shell.run("runs", "list").out == ""
