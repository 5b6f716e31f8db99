"""A stream while it is changed, and changes of whole frames and of bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from kernelwright.verifier.inside.worker import PREFIX
from tests.fuzz.recordings import Session

DEEP = "@deep"
NESTING = 700
LARGEST = (2**32 - 1, 2**64 - 1)


def parsed(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """Return header and body of a frame; an empty header for one that is broken already."""
    start = PREFIX.size
    end = start + int.from_bytes(frame[:4], "big")
    try:
        header = json.loads(frame[start:end])
    except (ValueError, RecursionError):
        return {}, b""
    return (header, frame[end:]) if isinstance(header, dict) else ({}, b"")


def built(header: dict[str, Any], body: bytes) -> bytes:
    """Return the frame of a header and a body; DEEP stands for a deep nest."""
    text = json.dumps(header).replace(f'"{DEEP}"', "[" * NESTING + "]" * NESTING, 1).encode()
    return PREFIX.pack(len(text), len(body)) + text + body


class Draft:
    """The frames of one session, with the chance that decides and the list of what was done."""

    def __init__(self, chance: random.Random, sessions: Sequence[Session], session: Session):
        self.chance = chance
        self.sessions = sessions
        self.session = session
        self.frames = list(session.frames)
        self.how: list[str] = []

    def index(self) -> int:
        """Return the index of any frame."""
        return self.chance.randrange(len(self.frames))

    def runs(self) -> list[int]:
        """Return the indices of frames that answer a `run`."""
        sign, start = b'{"op": "run"', PREFIX.size
        return [i for i, f in enumerate(self.frames) if f[start : start + len(sign)] == sign]

    def foreign(self) -> list[bytes]:
        """Return the frames of any session."""
        return self.chance.choice(self.sessions).frames


def omit(draft: Draft) -> None:
    """Leave a frame out."""
    del draft.frames[draft.index()]
    draft.frames = draft.frames or [b"\0"]


def repeat(draft: Draft) -> None:
    """Send a frame twice."""
    at = draft.index()
    draft.frames.insert(at, draft.frames[at])


def swap(draft: Draft) -> None:
    """Let two frames change places."""
    one, other, frames = draft.index(), draft.index(), draft.frames
    frames[one], frames[other] = frames[other], frames[one]


def replace(draft: Draft) -> None:
    """Put a frame of any session in the place of one."""
    draft.frames[draft.index()] = draft.chance.choice(draft.foreign())


def splice(draft: Draft) -> None:
    """Go on as another session."""
    other = draft.foreign()
    draft.frames[draft.index() :] = other[draft.chance.randrange(len(other)) :]


def lie(draft: Draft) -> None:
    """Give a prefix other lengths."""
    at, which = draft.index(), draft.chance.randrange(2)
    frame = draft.frames[at].ljust(PREFIX.size, b"\0")
    lengths = list(PREFIX.unpack(frame[: PREFIX.size]))
    told = lengths[which]
    told = draft.chance.choice((0, 1, told - 1, told + 1, 2**24 + 1, 2**32 - 1, 2**40, 2**64 - 1))
    lengths[which] = max(0, min(told, LARGEST[which]))
    draft.frames[at] = PREFIX.pack(*lengths) + frame[PREFIX.size :]


def body(draft: Draft) -> None:
    """Send other bytes of tensors, more, or fewer."""
    at = draft.index()
    header, old = parsed(draft.frames[at])
    if old:
        draft.frames[at] = built(header, scrambled(draft.chance, old))


def scrambled(chance: random.Random, data: bytes) -> bytes:
    """Return the data with some bytes replaced, put in, taken out or cut off."""
    at, some = chance.randrange(len(data) + 1), chance.randbytes(chance.choice((1, 2, 4, 8, 64)))
    return chance.choice(
        (
            data[:at] + some + data[at + len(some) :],
            data[:at] + some + data[at:],
            data[:at] + data[at + len(some) :],
            data[:at],
        )
    )


WHOLE = (omit, repeat, swap, replace, splice, lie, body, body)
