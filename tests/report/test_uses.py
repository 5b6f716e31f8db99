"""Tests of the words on uses, in the terminal and in the report."""

from __future__ import annotations

from kernelwright.report.uses import uses_lines, uses_view
from kernelwright.schema import UseResult

USES = (
    UseResult(use="train", outcome="same"),
    UseResult(use="eval", outcome="same"),
    UseResult(use="half", outcome="raises", detail="TypeError: float32 only"),
    UseResult(use="deepcopy", outcome="falls-back"),
    UseResult(use="weights-loaded-later", outcome="wrong", detail="off by 6.2 rms"),
    UseResult(use="empty-batch", outcome="crashes", detail="the worker ended with signal 11"),
    UseResult(use="pickle", outcome="not-tried", detail="no time was left"),
)


def test_each_outcome_is_counted_and_what_is_bad_has_its_line() -> None:
    assert uses_lines(USES) == [
        "uses: 2 as the reference, 1 fall back, 1 raise (half), 1 silently wrong, 1 crash, "
        "1 not tried",
        "uses: crashes: empty-batch: the worker ended with signal 11",
        "uses: silently wrong: weights-loaded-later: off by 6.2 rms",
    ]
    assert uses_lines(USES[:2]) == ["uses: 2 as the reference"]
    assert uses_lines(()) == []


def test_the_table_begins_with_what_is_bad() -> None:
    rows = uses_view(USES)
    assert [row.tone for row in rows] == ["bad", "bad", "ok", "ok", "infra", "ok", "ok"]
    assert rows[1].words == "load_state_dict after the first call"
    assert rows[1].outcome == "silently wrong" and rows[1].detail == "off by 6.2 rms"
    assert uses_view((UseResult(use="a later use", outcome="same"),))[0].words == "a later use"
