"""Results of tasks, by their final measurements."""

from __future__ import annotations

import pytest

from kernelwright.agents.deliver import Measured
from kernelwright.agents.prove import answer, may_be_faster
from kernelwright.schema import BUSY_MACHINE, Attempt, Flag, Speedup
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


def test_what_is_no_faster_is_an_answer_without_a_proof() -> None:
    def timed(index: int, eager: float) -> Attempt:
        candidate = samples.candidate(f"# {eager}\n")
        found = samples.evaluation(candidate, eager)
        return samples.attempt(index, candidate, evaluation=found)

    losers = [timed(0, 0.7), timed(1, 0.9)]
    result = answer(samples.task(), [], losers, losers)
    assert (result.status, result.evaluation) == ("no_improvement", losers[1].evaluation)
    assert result.delivered is None
    assert answer(samples.task(), [final(2.0)], losers, losers).status == "improved"


def test_what_ends_below_a_proven_speedup_is_not_proven() -> None:
    def searched(*ends: float) -> Attempt:
        candidate = samples.candidate("# searched\n")
        speedup = Speedup(median=ends[0], ci95=ends)
        found = samples.evaluation(candidate, 1.0).model_copy(
            update={"speedup": {"eager": speedup}}
        )
        return samples.attempt(0, candidate, evaluation=found)

    assert may_be_faster(searched(0.9, 1.6), final(1.5))
    assert not may_be_faster(searched(0.9, 1.4), final(1.5))
