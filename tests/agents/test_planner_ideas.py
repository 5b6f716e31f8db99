"""Ideas of planners: kept whole, and chosen by number, by name, or by the search strategy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kernelwright.agents.model.planner import PlannerAnswer, idea_of, known_idea
from kernelwright.agents.proposer import Idea
from kernelwright.agents.search.stopping import PLATEAU
from kernelwright.schema import Attempt, IdeaCard, Move
from kernelwright.store.store import open_store
from tests.agents.model_kit import (
    BACKENDS,
    DIAGNOSIS,
    TASK,
    attempt,
    block,
    by_role,
    file,
    loopback_server,
    view,
)
from tests.agents.workflow_kit import run, verdicts
from tests.llm.conftest import Hosted, openai_hosted
from tests.llm.loopback import Asked, Reply
from tests.store import samples

IDEAS = [
    {"text": "one pass", "backend": "cpp", "expected_speedup": 2},
    {"text": "a GPU", "backend": "cuda", "expected_speedup": 9},
]
CARDS = (
    IdeaCard(text="one pass", backend="cpp", expected=2),
    IdeaCard(text="a GPU", backend=None, expected=9),
)
KNOWN = attempt(0, file(0), 2.0).model_copy(update={"ideas": CARDS, "idea": "1a"})


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with loopback_server() as server:
        yield openai_hosted(server)


def answer(**chosen: Any) -> str:
    own = {"change": "Fuse.", "backend": "cpp", "expected_speedup": 2, **chosen}
    return json.dumps({"ideas": IDEAS, "chosen": own})


def planned(**chosen: Any) -> Idea:
    plan = PlannerAnswer.model_validate_json(answer(**chosen))
    return idea_of(plan, view(KNOWN), BACKENDS)


@pytest.mark.parametrize(
    ("named", "name"), [(1, "2a"), ("2", "2b"), ("1b", "1b"), (None, "2c"), ("7z", "2c"), (9, "2c")]
)
def test_all_ideas_are_kept_and_the_chosen_one_is_named(named: int | str | None, name: str) -> None:
    idea = planned(idea=named)
    assert (idea.name, idea.text, idea.backend) == (name, "Fuse. (expected 2x)", "cpp")
    own = (IdeaCard(text="Fuse.", backend="cpp", expected=2),) if name == "2c" else ()
    assert idea.ideas == CARDS + own


def test_ideas_may_be_words_alone() -> None:
    text = answer().replace(json.dumps(IDEAS), '["one pass"]')
    idea = idea_of(PlannerAnswer.model_validate_json(text), view(), BACKENDS)
    assert idea.ideas[0] == IdeaCard(text="one pass") and idea.name == "1b"


def test_an_idea_of_the_strategys_choice_needs_no_answer() -> None:
    move = Move(operator="improve", parent=0, idea="1b")
    found = known_idea(view(KNOWN, move=move), BACKENDS)
    assert found == Idea(text="a GPU (expected 9x eager)", backend="cpp", name="1b")
    assert known_idea(view(KNOWN), BACKENDS) is None
    lost = move.model_copy(update={"idea": "4a"})
    assert known_idea(view(KNOWN, move=lost), BACKENDS) is None


def test_a_search_that_stands_still_writes_an_open_idea_without_a_planner(
    hosted: Hosted, tmp_path: Path
) -> None:
    count = PLATEAU + 5
    files = [block(file(index)) for index in range(count)]
    by_role(hosted, planner=[answer(idea=1)], coder=files, profiler=[DIAGNOSIS])
    outcome = run(hosted, tmp_path, verdicts(*[2.0] * count), attempts=count)
    taken = [one for one in outcome.history if one.move.idea is not None]
    assert [one.idea for one in taken] == [one.move.idea for one in taken] and len(taken) == 2
    assert all(one.ideas == () and one.plan.startswith("a GPU") for one in taken)
    assert outcome.roles.count("planner") == count - len(taken)
    others = [one for one in outcome.history if one.move.idea is None]
    assert all(one.ideas == CARDS and one.idea == f"{one.number}a" for one in others)


class OneKnown:
    """A strategy that goes on from the first attempt, every second time with its second idea."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        known = Move(operator="improve", parent=0, idea="1b")
        return [known if len(attempts) % 2 else Move()] * count


def test_a_hint_waits_for_an_attempt_with_a_planner(hosted: Hosted, tmp_path: Path) -> None:
    files = [block(file(index)) for index in range(3)]
    by_role(hosted, planner=[answer(idea=1)], coder=files, profiler=[DIAGNOSIS])
    respond = hosted.loopback.respond

    def hint(asked: Asked) -> Reply:
        if len(hosted.loopback.asked) == 1:
            with open_store(tmp_path / "stage.db") as store:
                store.add_hint(samples.RUN_ID, TASK.id, "Try seven columns.")
        return respond(asked)

    hosted.loopback.respond = hint
    outcome = run(hosted, tmp_path, verdicts(2.0, 1.5, 3.0), strategy=OneKnown())
    assert [one.move.idea for one in outcome.history] == [None, "1b", None]
    assert [bool(one.move.hints) for one in outcome.history] == [False, False, True]
    assert outcome.history[1].idea == "1b" and outcome.history[1].ideas == ()
