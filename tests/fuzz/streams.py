"""Mutated worker streams, each determined by a seed and a number."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.fuzz.claims import claim
from tests.fuzz.draft import WHOLE, Draft, scrambled
from tests.fuzz.headers import anything
from tests.fuzz.honest import TIMEOUT_S
from tests.fuzz.player import Stream
from tests.fuzz.recordings import Session

SAID = [
    "", "Traceback (most recent call last):\nValueError: x", "MemoryError", "a.cpp:1: error: x",
    "\0\x1b[31m", "out of memory " * 900,
]  # fmt: skip


def stream(seed: int, number: int, sessions: Sequence[Session]) -> tuple[Session, Stream]:
    """Return one stream, and the session that it was before one to four changes."""
    chance = random.Random(f"{seed}/{number}")
    session = chance.choice(sessions)
    draft = Draft(chance, sessions, session)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        _change(draft)
    data = b"".join(draft.frames)
    if chance.random() < 0.1:
        data = scrambled(chance, data)
        draft.how.append("scrambled")
    return session, _sent(chance, data, draft.how)


def _change(draft: Draft) -> None:
    kind = draft.chance.choice((claim, claim, anything, anything, draft.chance.choice(WHOLE)))
    if kind not in (claim, anything):
        draft.how.append(kind.__name__)
    kind(draft)


def _sent(chance: random.Random, data: bytes, how: Sequence[str]) -> Stream:
    slow = chance.random() < 0.03
    return Stream(
        data,
        chunk=chance.choice((1, 7, 100)) if slow else 2**20,
        delay_s=chance.choice((0.01, 0.5, 0.9, 2 * TIMEOUT_S)) if slow else 0.0,
        ending=chance.choice(("silence", "eof", "eof", "reset")),
        exit_code=chance.choice((None, 0, 1, -9, -11)),
        said=chance.choice(SAID),
        how=tuple(how),
    )
