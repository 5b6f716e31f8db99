"""The decisions behind attempts and their fates, in words."""

from __future__ import annotations

from kernelwright.report.decisions import (
    blocks_line,
    call_title,
    calls_of,
    fate,
    how,
)
from kernelwright.schema import Attempt, Move, Status, Usage
from tests.agents.model_kit import attempt, file
from tests.store import samples


def history() -> list[Attempt]:
    improve = Move(operator="improve", parent=0)
    return [
        attempt(0, file(0), 1.5),
        attempt(1, file(1), None, status=Status.TIMEOUT, move=improve),
        attempt(2, file(2), 1.4, move=Move(operator="repair", parent=1)),
        samples.attempt(3, dropped="the same file as attempt 1", move=improve),
        samples.attempt(4, error="no worker", move=improve),
        attempt(5, file(5), 2.0, move=Move(operator="combine", parent=0, others=(2,), island=1)),
        attempt(6, file(6), 0.9, move=Move(direction="Move fewer bytes.")),
    ]


def test_how_it_was_made() -> None:
    assert [how(a.move) for a in history()] == [
        "started from the reference",
        "went on from attempt 1",
        "repaired attempt 2",
        "went on from attempt 1",
        "went on from attempt 1",
        "combined attempt 1 with 3, in population 2",
        "started from the reference; direction: Move fewer bytes.",
    ]


def test_an_idea_that_was_taken_up_is_named() -> None:
    move = Move(operator="improve", parent=0, idea="3b")
    assert how(move) == "went on from attempt 1; took up idea 3b"


def test_what_no_model_wrote_says_so() -> None:
    assert how(Move(operator="seed")) == "took a file of the offline optimizer"
    tune = Move(operator="tune", parent=2, point=(("TILE", 32),), island=0)
    assert how(tune) == "put other numbers in the file of attempt 3, in population 1"


def test_what_became_of_it() -> None:
    attempts = history()
    assert [fate(a, attempts) for a in attempts] == [
        "best so far; 4 later attempts went on from it",
        "not kept; repaired by attempt 3",
        "not faster than attempt 1; 1 later attempt went on from it",
        "dropped before it was evaluated: the same file as attempt 1",
        "lost to an infrastructure error; not scored",
        "best so far",
        "not faster than attempt 6",
    ]


def test_its_calls_and_what_they_took() -> None:
    own = samples.call("yes", attempt=2)
    calls = [samples.call("no", attempt=1), own, samples.call("old")]
    assert calls_of(history()[2], calls) == [own]
    title = "coder: openai/some-model, 1,200 tokens in, 800 tokens out, $0.0123"
    assert call_title(own) == title
    cached = Usage(input_tokens=1000, output_tokens=1, cost_usd=0.5, cached_input_tokens=800)
    shown = call_title(samples.call(usage=cached))
    assert shown.endswith("1 tokens out, 80% of the input tokens cached, $0.5000")
    assert call_title(samples.call(usage=Usage())) == "coder: openai/some-model, cost unknown"


def test_what_the_blocks_of_a_prompt_took() -> None:
    """Check that the provider's 1,200 tokens are divided by the blocks' shares of characters."""
    blocks = {"task": 24, "device": 23, "moves": 0}
    assert blocks_line(samples.call(blocks=blocks)) == "task 613, device 587"
    assert blocks_line(samples.call(blocks=blocks, usage=Usage())) == ""
