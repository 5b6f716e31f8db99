"""The tree of ideas: states that are seen from attempts, and a choice among what is open."""

from __future__ import annotations

from typing import Any

import pytest

from kernelwright.agents.search.ideas import MOST_STARTS, Node, tree, waiting, with_ideas
from kernelwright.agents.search.stopping import PLATEAU
from kernelwright.agents.search.strategy import STRATEGIES, open_strategy
from kernelwright.schema import Attempt, IdeaCard, Move
from tests.agents.model_kit import attempt, file
from tests.store import samples

FRESH = Move()
TILE, FUSE = IdeaCard(text="tile", backend="cpp", expected=1.5), IdeaCard(text="fuse", expected=3)
WORDS = IdeaCard(text="in words")


def made(
    index: int,
    eager: float | None,
    move: Move = FRESH,
    idea: str | None = None,
    ideas: tuple[IdeaCard, ...] = (),
) -> Attempt:
    plain = attempt(index, file(index), eager, plan=f"plan {index}", move=move)
    return plain.model_copy(update={"idea": idea, "ideas": ideas})


def improve(parent: int, **changes: Any) -> Move:
    return Move(operator="improve", parent=parent, **changes)


def repair(parent: int) -> Move:
    return Move(operator="repair", parent=parent)


def by_name(*attempts: Attempt) -> dict[str, Node]:
    return {node.name: node for node in tree(attempts)}


FIRST = made(0, 2.0, idea="1b", ideas=(TILE, FUSE))


def test_what_was_not_chosen_is_open() -> None:
    found = by_name(FIRST)
    assert {name: node.state for name, node in found.items()} == {"1a": "open", "1b": "won"}
    assert found["1b"].attempts == (FIRST,) and found["1a"].attempts == ()


@pytest.mark.parametrize(
    ("later", "state"),
    [
        ((made(1, None, improve(0), "1a"),), "wrong code"),
        ((made(1, None, improve(0), "1a"), made(2, 1.5, repair(1))), "right but slower"),
        ((made(1, None, improve(0), "1a"), made(2, None, repair(1))), "wrong code"),
        ((made(1, None, improve(0), "1a"), made(2, 2.5, improve(0), "1a")), "won"),
        ((made(1, 1.5, improve(0), "1a"),), "right but slower"),
    ],
)
def test_an_ideas_state_is_that_of_all_its_attempts(later: tuple[Attempt, ...], state: str) -> None:
    found = by_name(FIRST, *later)["1a"]
    assert found.state == state and found.attempts == later


def test_an_error_of_ours_and_code_that_is_not_timed_leave_it_open() -> None:
    lost = samples.attempt(1, error="no worker", move=improve(0), idea="1a")
    untimed = made(2, None, improve(0), "1a")
    verdict = samples.evaluation(samples.candidate(), None)
    assert verdict.accepted
    untimed = untimed.model_copy(update={"evaluation": verdict})
    assert by_name(FIRST, lost)["1a"].state == by_name(FIRST, untimed)["1a"].state == "open"


def test_expectations_are_of_the_code_that_the_planner_was_shown() -> None:
    later = made(1, 2.1, improve(0), "2a", (TILE, WORDS))
    found = by_name(FIRST, later)
    assert (found["1a"].expected, found["2a"].expected, found["2b"].expected) == (1.5, 3.0, None)
    assert [found[name].under for name in ("1a", "1b", "2a", "2b")] == [None, None, "1b", "1b"]


def test_a_plan_without_a_planners_ideas_is_an_idea() -> None:
    old = made(0, 2.0)
    mended = made(2, 2.5, repair(1))
    found = by_name(old, made(1, None, improve(0)), mended)
    assert {name: node.state for name, node in found.items()} == {"1": "won", "2": "won"}
    assert found["2"].card.text == "plan 1" and not found["2"].is_planners
    assert waiting((old, mended)) == []


def test_the_most_promising_comes_first_and_wrong_code_counts_half() -> None:
    first = made(0, 2.0, idea="1a", ideas=(WORDS, TILE, FUSE))
    assert [node.name for node in waiting((first,))] == ["1c", "1b"]
    failed = made(1, None, improve(0), "1c")
    assert {node.name: node.promise for node in waiting((first, failed))} == {"1c": 1.5, "1b": 1.5}


def stale(*cards: IdeaCard) -> tuple[Attempt, ...]:
    """Return a search that stands still, with these ideas open."""
    first = made(0, 2.0, idea="1a", ideas=(WORDS, *cards))
    return (first, *(made(index, 1.0, improve(0)) for index in range(1, PLATEAU + 1)))


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "best-of-n"])
def test_a_search_that_stands_still_takes_up_every_other_time_an_open_idea(name: str) -> None:
    history = stale(TILE, FUSE)
    moves = open_strategy(name).choose(history, 8, 3)
    taken = [move for move in moves if move.idea is not None]
    assert [move.idea for move in taken] == ["1c", "1b"][: len(taken)] and taken
    assert all(not move.direction for move in taken)
    assert [move.idea for move in open_strategy(name).choose(history[:-1], 8, 3)] == [None] * 8


def test_an_idea_without_a_figure_is_left_to_planners() -> None:
    moves = open_strategy("greedy").choose(stale(WORDS), 8, 3)
    assert all(move.idea is None for move in moves)


def test_independent_attempts_take_up_nothing() -> None:
    moves = open_strategy("best-of-n").choose(stale(TILE), 8, 3)
    assert all(move.idea is None for move in moves)


def test_an_idea_is_not_begun_for_ever_nor_while_it_is_repaired() -> None:
    history = list(stale(TILE))
    for _ in range(MOST_STARTS):
        moves = with_ideas([improve(0)] * 2, history)
        assert [move.idea for move in moves if move.idea] == ["1b"]
        history.append(made(len(history), None, improve(0, idea="1b"), "1b"))
        mending = [repair(len(history) - 1), improve(0), improve(0)]
        assert all(move.idea is None for move in with_ideas(mending, history))
    assert all(move.idea is None for move in with_ideas([improve(0)] * 2, history))


def test_a_dropped_attempt_counts_as_wrong_code() -> None:
    dropped = samples.attempt(1, dropped="no usable answer", move=improve(0), idea="1a")
    assert by_name(FIRST, dropped)["1a"].state == "wrong code"
