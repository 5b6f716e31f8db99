from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kernelwright.batch.metrics import THRESHOLDS, fast_p, suite_metrics
from kernelwright.report import format as fmt
from kernelwright.report.terminal import (
    metrics_table,
    metrics_text,
    open_questions,
    results_table,
    results_text,
    task_summary,
)
from kernelwright.schema import BUSY_MACHINE, Flag, Speedup, Status
from kernelwright.store.results import TaskResult
from tests.report import story
from tests.store import samples

ERROR = TaskResult(task_id="a/error", status="error", error="no device")
BROKEN = TaskResult(task_id="a/broken", status="unusable", error="get_inputs() raises boom")
NOTHING = TaskResult(task_id="a/nothing", status="no_improvement")
BUSY = Flag(rule=BUSY_MACHINE, severity="suspicious", evidence="others used these cores")


def answer(eager: float, status: Status = Status.PASSED, half_width: float = 0.0) -> TaskResult:
    made = samples.candidate()
    final = samples.evaluation(made, eager, status=status, half_width=half_width, level="strict")
    return TaskResult(
        task_id="a/task",
        status="improved" if final.is_win else "no_improvement",
        candidate_hash=made.hash,
        evaluation=final,
    )


def undecided(status: str = "not_decided") -> TaskResult:
    """Return a task's result above 1 that was measured on a busy machine."""
    made = samples.candidate()
    final = samples.evaluation(made, 2.0, level="strict", flags=(BUSY,))
    fields = {"task_id": "a/busy", "candidate_hash": made.hash, "evaluation": final}
    return TaskResult.model_validate({**fields, "status": status})


def test_fast_p_counts_strictly_greater_over_all_tasks() -> None:
    results = [answer(2.0), answer(1.2), answer(0.8), ERROR, NOTHING]
    shares = suite_metrics(results).fast_p
    assert shares == {0.0: 0.6, 0.8: 0.4, 1.0: 0.4, 1.2: 0.2, 1.5: 0.2, 2.0: 0.0}


def test_refused_answers_count_for_nothing() -> None:
    metrics = suite_metrics([answer(50.0, Status.REWARD_HACK), answer(1.0)])
    assert metrics.fast_p[0.0] == 0.5
    assert metrics.geometric_mean == 1.0 and metrics.improved == 0


def test_the_reference_is_kept_where_nothing_is_better() -> None:
    metrics = suite_metrics([answer(4.0), answer(0.25), ERROR, NOTHING])
    assert metrics.geometric_mean == pytest.approx(4.0**0.25)
    assert metrics.median == 1.0


def test_errors_and_unfinished_tasks_lower_the_coverage_only() -> None:
    metrics = suite_metrics([answer(2.0), ERROR], tasks=4)
    assert (metrics.tasks, metrics.measured, metrics.errors) == (4, 1, 1)
    assert metrics.coverage == 0.25 and metrics.fast_p[1.0] == 0.25
    with pytest.raises(ValueError, match="2 results for 1"):
        suite_metrics([ERROR, NOTHING], tasks=1)


def test_unusable_tasks_are_no_infrastructure_errors() -> None:
    metrics = suite_metrics([answer(2.0), ERROR, BROKEN, undecided()])
    assert (metrics.measured, metrics.errors, metrics.unusable) == (2, 1, 1)
    assert "unusable tasks                       1" in metrics_text(metrics)


def test_no_tasks_give_no_figures() -> None:
    metrics = suite_metrics([])
    assert set(metrics.fast_p.values()) == {None}
    assert (metrics.geometric_mean, metrics.median, metrics.coverage) == (None, None, None)
    assert "unknown" in metrics_text(metrics)


@given(st.lists(st.floats(0.01, 100), max_size=20), st.integers(0, 5))
def test_fast_p_falls_with_p_and_stays_a_share(speedups: list[float], errors: int) -> None:
    results = [answer(value) for value in speedups] + [ERROR] * errors
    shares = [fast_p(results, p, len(results) or 1) for p in THRESHOLDS]
    known = [share for share in shares if share is not None]
    assert known == sorted(known, reverse=True)
    assert all(0 <= share <= 1 for share in known)


def test_terminal_shows_the_same_in_tables_and_plain_lines() -> None:
    results = [one.result for one in story.everything() if one.result]
    metrics = suite_metrics(results, tasks=4)
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(results_table(results))
    console.print(metrics_table(metrics))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    plain = f"{results_text(results)}\n{metrics_text(metrics)}"
    for words in (
        "improved, C++ kernel",
        "2.31× (2.26–2.36×)",
        "not measured",
        "fast_1.2",
        "25.0%",
        "1 of 4",
    ):
        assert words in shown and words in plain, words


def test_a_summary_says_what_was_found() -> None:
    assert task_summary(samples.improved()).splitlines() == [
        "kernelbench/36_RMSNorm_: Faster than eager PyTorch and torch.compile",
        "2.31× (2.24–2.38×) the speed of eager PyTorch. 1.54× (1.49–1.59×) the speed of "
        "torch.compile.",
    ]
    elsewhere = samples.improved().model_copy(update={"ordinary": samples.ordinary_run()})
    assert task_summary(elsewhere).splitlines()[2:] == [
        "In an ordinary interpreter it is faster: 1.72× (1.53–1.91×)."
    ]
    assert task_summary(ERROR) == "a/error: No answer: infrastructure error\nno device"
    assert "No improvement found" in task_summary(answer(3.0, Status.REWARD_HACK))


@pytest.mark.parametrize("status", ["not_decided", "no_improvement"])
def test_what_a_busy_machine_left_open_has_one_name(status: str) -> None:
    result = undecided(status)
    assert "not decided (busy machine)" in results_text([result])
    assert "improvement" not in results_text([result])
    assert "Not decided (busy machine)" in task_summary(result)
    assert open_questions([NOTHING, result]).startswith("a/busy: not decided (busy machine): Other")
    assert "again on a quiet machine settles it" in open_questions([result])
    assert "`kernelwright doctor` says when" in open_questions([result])


def test_tasks_without_an_answer_say_why() -> None:
    assert open_questions([answer(2.0), NOTHING]) == ""
    assert open_questions([ERROR, BROKEN]).splitlines() == [
        "a/error: infrastructure error: no device",
        "a/broken: unusable task: get_inputs() raises boom",
    ]
    assert "unusable task" in results_text([BROKEN])


def test_near_one_is_not_rounded_to_one() -> None:
    assert fmt.speedup(Speedup(median=1.02, ci95=(1.004, 1.06))) == "1.020× (1.004–1.060×)"
    assert fmt.speedup(None) == "not measured"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.microseconds(21.44), "21.44 µs"),
        (fmt.microseconds(41_300), "41.3 ms"),
        (fmt.microseconds(2.5e6), "2.5 s"),
        (fmt.microseconds(None), "not measured"),
        (fmt.seconds(412.6), "6 min 53 s"),
        (fmt.seconds(7500), "2 h 05 min"),
        (fmt.seconds(None), "unknown"),
        (fmt.dollars(0), "$0"),
        (fmt.dollars(None), "unknown"),
        (fmt.dollars(1234.5), "$1,234.50"),
        (fmt.count(None), "unknown"),
        (fmt.moment(None), "unknown"),
        (fmt.anything({"gpu": None, "cores": [0, 1]}), "gpu unknown, cores 0, 1"),
        (fmt.backend("inductor"), "torch.compile configuration"),
    ],
)
def test_numbers_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected
