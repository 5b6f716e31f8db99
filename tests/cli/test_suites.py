"""Folders of tasks with some that are at fault: the others go on."""

from __future__ import annotations

import json

import pytest

from tests.cli.kit import TASK, Shell

RAISES = TASK.replace("return [torch.randn(ROWS, COLS)]", "raise RuntimeError('broken input')")
NO_INIT = TASK.split("def get_init_inputs")[0]


@pytest.fixture
def suite(shell: Shell) -> str:
    """Write a suite: a file with a reference that raises, then one that is no task."""
    shell.write("suite/1_Raises.py", RAISES)
    shell.write("suite/2_NoInit.py", NO_INIT)
    return "suite"


@pytest.mark.parametrize("some", [("--filter", "1_Rai"), ("--limit", "1")])
def test_files_that_are_not_asked_for_stop_nothing(
    shell: Shell, suite: str, some: tuple[str, str]
) -> None:
    done = shell.run("bench", suite, *some, "--run", "mine", "--target", "cpu")
    assert done.code == 1, done.err
    assert "suite/1_Raises  unusable task  not measured" in done.out
    assert "suite/1_Raises: unusable task: " in done.out and "broken input" in done.out
    figures = [line.split("  ") for line in done.out.splitlines()]
    counts = {words[0]: words[-1].strip() for words in figures if len(words) > 1}
    assert (counts["unusable tasks"], counts["infrastructure errors"]) == ("1", "0")
    shown = shell.run("runs", "show", "mine").out
    assert "suite/1_Raises: unusable task: " in shown and "broken input" in shown


def test_a_filter_that_nothing_matches_says_so(shell: Shell, suite: str) -> None:
    done = shell.run("bench", suite, "--filter", "softmax")
    assert (done.code, done.out) == (2, "")
    assert "no task id contains 'softmax'" in done.err and "'suite/1_Raises'" in done.err


def test_an_audit_lists_files_that_are_no_tasks_and_goes_on(shell: Shell, suite: str) -> None:
    done = shell.run("tasks", "audit", suite)
    assert (done.code, done.err) == (1, "")
    no_init = "invalid: suite/2_NoInit: unusable: 'suite/2_NoInit.py' defines no get_init_inputs()"
    assert no_init in done.out and "broken input" in done.out
    assert done.out.splitlines()[-1].startswith("2 tasks: 2 invalid")
    found = json.loads(shell.run("tasks", "audit", suite, "--json").out)[1]
    assert (found["task"], found["hash"], found["sound"]) == ("suite/2_NoInit", None, False)
