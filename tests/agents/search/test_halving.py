"""Successive halving: the attempts that are measured at length."""

from __future__ import annotations

import pytest

from kernelwright.agents.search.halving import is_promoted
from kernelwright.schema import Attempt, Evaluation, Status
from tests.store import samples


def found(speedup: float | None, status: Status = Status.PASSED) -> Evaluation:
    return samples.evaluation(samples.candidate("x"), speedup, status=status)


def before(*speedups: float | None) -> list[Attempt]:
    return [
        samples.attempt(index, samples.candidate(str(index)), evaluation=found(speedup))
        for index, speedup in enumerate(speedups)
    ]


@pytest.mark.parametrize(
    ("speedup", "others", "expected"),
    [
        (1.5, (), True),  # the first
        (1.5, (1.4,), True),
        (1.5, (1.6,), False),
        (1.5, (1.6, 1.4, 1.4, 1.4, 1.4), True),  # the second of six
        (1.5, (1.6, 1.7, 1.4, 1.4, 1.4), False),
        (0.9, (), False),  # nothing to go on from
        (1.5, (None, None, None, None, 1.6), False),  # what was not timed does not count
    ],
)
def test_the_fastest_third_is(
    speedup: float, others: tuple[float | None, ...], expected: bool
) -> None:
    assert is_promoted(found(speedup), before(*others), 3) is expected


def test_nothing_is_where_nothing_was_timed_or_nobody_asks() -> None:
    assert not is_promoted(found(None, Status.RUNTIME_ERROR), [], 3)
    assert not is_promoted(found(2.0), [], 0)
    assert is_promoted(found(1.1), before(2.0, 3.0), 1)  # all of them


def test_the_reference_under_torch_compile_is_nothing_to_go_on_from() -> None:
    compiled = found(2.0).model_copy(update={"compiled": "options"})
    assert not is_promoted(compiled, [], 3)
