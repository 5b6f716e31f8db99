"""The tree of ideas in words."""

from __future__ import annotations

from kernelwright.report.ideas import idea_documents, idea_lines
from kernelwright.schema import Attempt, IdeaCard, Move
from tests.agents.model_kit import attempt, file
from tests.report.test_decisions import history

CARDS = (IdeaCard(text="fuse", backend="cpp", expected=2.0), IdeaCard(text="in words"))


def planned() -> list[Attempt]:
    """Return two attempts, the second with an idea that goes on from the first one's."""
    first = attempt(0, file(0), 2.0).model_copy(update={"ideas": CARDS, "idea": "1a"})
    move = Move(operator="improve", parent=0)
    cards = (IdeaCard(text="tile", backend="cpp", expected=1.5),)
    second = attempt(1, file(1), None, move=move)
    return [first, second.model_copy(update={"ideas": cards, "idea": "2a"})]


def test_ideas_stand_below_what_they_go_on_from() -> None:
    assert [line.words for line in idea_lines(planned())] == [
        "1a: won (attempt 1): fuse; 2.00× eager expected; C++ kernel",
        "  2a: wrong code (attempt 2): tile; 3.00× eager expected; C++ kernel",
        "1b: open: in words",
    ]


def test_a_long_line_of_ideas_is_listed() -> None:
    line = [attempt(0, file(0), 1.0, plan="first").model_copy(update={"ideas": CARDS})]
    for index in range(1, 1_200):
        move = Move(operator="improve", parent=index - 1)
        line.append(attempt(index, file(index), 1.0 + index, move=move))
    assert max(one.depth for one in idea_lines(line)) == 1_199


def test_ideas_are_data_too() -> None:
    documents = {one["name"]: one for one in idea_documents(planned())}
    assert documents["2a"] == {
        "name": "2a",
        "under": "1a",
        "state": "wrong code",
        "expected": 3.0,
        "attempts": [2],
        "text": "tile",
        "backend": "cpp",
    }
    assert documents["1b"]["expected"] is None and documents["1b"]["attempts"] == []


def test_attempts_without_a_planner_have_none() -> None:
    assert idea_lines(history()) == [] and idea_documents(history()) == []
