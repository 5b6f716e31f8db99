"""Notes that a coder can search: techniques, skill cards with their code, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kernelwright.agents.cards import card_line
from kernelwright.agents.vocabulary import vocabulary
from kernelwright.prompts.hints import CPU_HINTS, DIRECTIONS, GPU_HINTS
from kernelwright.prompts.render import fenced
from kernelwright.schema import Attempt, Lesson

MOST = 6


class Notes(NamedTuple):
    """Notes, one text each."""

    texts: tuple[str, ...]
    code: Mapping[str, str] = MappingProxyType({})
    """Code by the text that it belongs to."""

    def search(self, query: str) -> str:
        """Return the notes with the query's words, those with most of the rare ones first.

        The weight of a word is the share of notes without it. The first note that has code is
        followed by it: all of that is about a page.
        """
        wanted = vocabulary(query)
        having = Counter(word for text in self.texts for word in vocabulary(text))
        weights = {word: 1.0 - having[word] / len(self.texts) for word in wanted if having[word]}
        scored = [(sum(weights.get(w, 0.0) for w in vocabulary(text)), text) for text in self.texts]
        found = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:MOST]
        lines = [f"- {text}" for _, text in found]
        shown = next((text for _, text in found if text in self.code), None)
        if shown is not None:
            lines += ["", f'Code of "{shown}":', "", fenced(self.code[shown], "diff")]
        return "\n".join(lines)


def notes_of(device: str, lessons: Iterable[Lesson], attempts: Sequence[Attempt]) -> Notes:
    """Return the notes for a search on a kind of device.

    Args:
        lessons: of earlier searches.
        attempts: of this task; what the profiler found is a note.
    """
    known = CPU_HINTS if device == "cpu" else GPU_HINTS
    cards = {card_line(one): one.difference for one in lessons}
    found = (f"attempt {one.number}: {one.diagnosis}" for one in attempts if one.diagnosis)
    code = {text: code for text, code in cards.items() if code}
    return Notes((*known, *DIRECTIONS, *cards, *found), code)
