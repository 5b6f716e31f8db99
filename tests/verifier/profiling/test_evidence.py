"""Tests of the words on where a candidate's time goes."""

from __future__ import annotations

from kernelwright.verifier.profiling.evidence import PROFILED_CALLS, operator_facts


def row(name: str, self_us: float, calls: int = PROFILED_CALLS) -> dict[str, object]:
    return {"name": name, "calls": calls, "self_us": self_us}


def test_operators_of_long_calls_have_shares_of_the_time() -> None:
    rows = [row("aten::mm", 6000.0), row("aten::add", 1500.0), row("aten::view", 3.0)]
    assert operator_facts(rows, 10_000.0) == [
        "PyTorch operators take about 75% of the time",
        "aten::mm: 60% of the time",
        "aten::add: 15% of the time",
    ]


def test_the_profilers_own_time_is_not_an_operators() -> None:
    # A kernel called through ctypes in 3 us; the profiler gives 3.6 us to the one allocation.
    found = operator_facts([row("aten::empty", 3.6 * PROFILED_CALLS)], 3.0 * PROFILED_CALLS)
    assert found == ["PyTorch operators in a call, too short to be timed: 1 aten::empty"]


def test_a_candidate_without_operators_has_no_share_of_them() -> None:
    assert operator_facts([], 3.0) == ["PyTorch operators take about 0% of the time"]
