"""Results of tasks, by their final measurements."""

from __future__ import annotations

import pytest

from kernelwright.agents.deliver import Measured
from kernelwright.agents.prove import answer
from kernelwright.schema import BUSY_MACHINE, Flag
from tests.store import samples

BUSY = Flag(rule=BUSY_MACHINE, severity="suspicious", evidence="others used these cores")
REFUSAL = Flag(rule="stale_output", severity="refuse", evidence="same output")


def final(eager: float, *flags: Flag) -> Measured:
    return samples.measured(samples.candidate(f"# {eager} {flags}\n"), eager, flags=flags)


@pytest.mark.parametrize(
    ("measured", "status", "chosen"),
    [
        ([], "no_improvement", None),
        ([final(0.9)], "no_improvement", 0),
        ([final(2.0), final(3.0)], "improved", 1),
        ([final(2.0, BUSY)], "not_decided", 0),
        ([final(0.9), final(2.0, BUSY)], "not_decided", 1),
        ([final(2.0), final(3.0, BUSY)], "improved", 0),
        ([final(2.0, BUSY, REFUSAL)], "no_improvement", 0),
    ],
)
def test_the_best_that_is_sure(measured: list[Measured], status: str, chosen: int | None) -> None:
    result = answer(samples.task(), measured, [samples.attempt()])
    assert result.status == status
    assert result.evaluation == (None if chosen is None else measured[chosen].evaluation)


def test_only_lost_attempts_are_an_error() -> None:
    lost = samples.attempt(error="no device")
    assert answer(samples.task(), [], [lost]).error == "no device"
    assert answer(samples.task(), [], [lost, samples.attempt(1)]).status == "no_improvement"
