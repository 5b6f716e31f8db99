"""Conformance suite of search strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.schema import (
    Attempt,
    Candidate,
    Evaluation,
    Move,
    Origin,
    SandboxInfo,
    Span,
    Speedup,
    Status,
)

Open = Callable[[], SearchStrategy]
SEED = 3
SPEEDUPS = (1.2, None, 1.5, 0.8, None, None, None, 2.0, 1.9, None, 3.0, 2.5) * 2


def made(index: int, speedup: float | None, move: Move) -> Attempt:
    """Return an attempt: accepted with that speedup over eager, or wrong where it is None."""
    source = f"import torch\nNUMBER = {index}\nclass ModelNew(torch.nn.Module):\n    pass\n"
    candidate = Candidate(source=source, backend="torch", origin=Origin(kind="user"))
    is_right = speedup is not None
    evaluation = Evaluation(
        task_hash="task",
        candidate_hash=candidate.hash,
        backend="torch",
        status=Status.PASSED if is_right else Status.INCORRECT_NUMERICAL,
        reason="",
        level="fast",
        tolerance="default",
        speedup={"eager": Speedup(median=speedup, ci95=(0.97 * speedup, 1.03 * speedup))}
        if speedup is not None
        else {},
        sandbox=SandboxInfo(kind="process"),
        duration_s=1.0,
        worker_version="none",
    )
    return Attempt(
        run_id="run",
        task_id="tests/one",
        index=index,
        move=move,
        candidate=candidate,
        evaluation=evaluation,
        span=Span(started=float(index), ended=float(index + 1)),
    )


def search(
    strategy: SearchStrategy, speedups: Iterable[float | None], width: int = 1
) -> list[Attempt]:
    """Return attempts with these speedups, made in rounds of `width`."""
    history: list[Attempt] = []
    waiting = list(speedups)
    while waiting:
        moves = strategy.choose(tuple(history), min(width, len(waiting)), SEED)
        assert len(moves) == min(width, len(waiting))
        start = len(history)
        for place, move in enumerate(moves):
            history.append(made(start + place, waiting.pop(0), move))
    return history


class SearchConformance:
    """The contract of a strategy. Fixture of the subclass: `opened`, which makes a new one."""

    @pytest.mark.parametrize("width", [1, 3])
    def test_moves_are_repeatable(self, opened: Open, width: int) -> None:
        one, again = (search(opened(), SPEEDUPS, width) for _ in range(2))
        assert [attempt.move for attempt in one] == [attempt.move for attempt in again]

    @pytest.mark.parametrize("width", [1, 3])
    def test_moves_go_on_from_what_there_is(self, opened: Open, width: int) -> None:
        history = search(opened(), SPEEDUPS, width)
        for found in history:
            for index in (found.move.parent, *found.move.others):
                assert index is None or index < found.index - found.index % width
            if found.move.operator in ("improve", "combine"):
                assert found.move.parent is not None
                parent = history[found.move.parent]
                assert parent.evaluation is not None and parent.evaluation.accepted
            if found.move.operator == "repair":
                assert found.move.parent is not None
                failed = history[found.move.parent].evaluation
                assert failed is not None and not failed.accepted

    def test_nothing_accepted_yet_is_no_reason_to_stop(self, opened: Open) -> None:
        history = search(opened(), [None] * 12)
        assert {attempt.move.operator for attempt in history} <= {"fresh", "repair"}
