"""Notes that a coder searches: skill cards with the code of the first."""

from __future__ import annotations

from kernelwright.agents.episode.notes import notes_of
from kernelwright.agents.episode.tools import PAGE
from kernelwright.schema import Lesson

CARD = Lesson(
    text="Pack the weights into panels.",
    category="matmul",
    backend="cpp",
    target="cpu",
    gain=2.0,
    difference="-naive\n+packed",
    run_id="a",
    task_id="b",
    attempt=0,
)


def test_the_first_card_comes_with_its_code() -> None:
    other = CARD.model_copy(update={"text": "Pack the panels twice.", "difference": "+twice"})
    found = notes_of("cpu", (CARD, other), ()).search("pack weights panels")
    assert found.startswith("- Pack the weights into panels. -> 2.00x (cpp)\n")
    assert found.endswith('(cpp)":\n\n```diff\n-naive\n+packed\n```') and "+twice" not in found


def test_a_card_without_code_is_a_note() -> None:
    bare = CARD.model_copy(update={"difference": None})
    found = notes_of("cpu", (bare,), ()).search("weights panels")
    assert "Pack the weights" in found and "```" not in found


def test_a_search_fits_on_a_page() -> None:
    long = CARD.model_copy(update={"text": "panels " * 22, "difference": "+x\n" * 1_160})
    cards = [long.model_copy(update={"gain": 1.5 + number}) for number in range(20)]
    found = notes_of("cpu", cards, ()).search("panels")
    assert len(found) <= PAGE and found.endswith("```")
