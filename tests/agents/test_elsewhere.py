"""Answers of tasks after their files ran in ordinary interpreters."""

from __future__ import annotations

from collections.abc import Collection

from kernelwright.agents.deliver import Measured
from kernelwright.agents.elsewhere import tried_elsewhere
from kernelwright.agents.prove import answer
from kernelwright.schema import OrdinaryRun
from kernelwright.store.results import TaskResult
from tests.store import samples

WRONG = OrdinaryRun(right=False, problem="values, seed 3: 7 of 9 values are wrong")
LOST = OrdinaryRun(right=None, problem="it did not end within 180 s")
RIGHT = samples.ordinary_run()


def final(eager: float) -> Measured:
    return samples.measured(samples.candidate(f"# {eager}\n"), eager)


def tried(measured: list[Measured], runs: list[OrdinaryRun]) -> TaskResult:
    """Return the answer where ordinary interpreters say these things, one after the other."""

    def without(wrong: Collection[str]) -> TaskResult:
        left = [one for one in measured if one.evaluation.candidate_hash not in wrong]
        return answer(samples.task(), left, [samples.attempt()])

    ahead = iter(runs)
    found = tried_elsewhere(without, lambda _result: next(ahead))
    assert next(ahead, None) is None, "fewer runs than expected"
    return found


def test_a_win_carries_what_ordinary_interpreters_say() -> None:
    found = tried([final(2.0), final(3.0)], [RIGHT])
    assert (found.status, found.ordinary) == ("improved", RIGHT)
    assert found.evaluation == final(3.0).evaluation


def test_a_win_stands_where_nothing_could_be_timed() -> None:
    found = tried([final(2.0)], [LOST])
    assert (found.status, found.ordinary) == ("improved", LOST)


def test_a_file_that_is_wrong_there_makes_way_for_the_next() -> None:
    found = tried([final(2.0), final(3.0)], [WRONG, RIGHT])
    assert (found.status, found.ordinary) == ("improved", RIGHT)
    assert found.evaluation == final(2.0).evaluation


def test_where_all_are_wrong_the_best_one_says_why() -> None:
    found = tried([final(2.0), final(3.0), final(0.9)], [WRONG, WRONG])
    assert (found.status, found.ordinary) == ("no_improvement", WRONG)
    assert found.evaluation == final(3.0).evaluation


def test_without_a_win_nothing_is_run() -> None:
    found = tried([final(0.9)], [])
    assert (found.status, found.ordinary) == ("no_improvement", None)
