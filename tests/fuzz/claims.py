"""Changes of what a worker claims of a run's results: where they lie, and in which form."""

from __future__ import annotations

import random
from typing import Any

from kernelwright.verifier.worker.tensor_tree import TensorTree
from tests.fuzz.draft import Draft, built, parsed
from tests.fuzz.player import framed
from tests.fuzz.recordings import Session

Rows = list[list[Any]]
Entries = list[dict[str, Any]]
DEVICES = ["cuda", "meta", "CPU", "cpu:0", "", "\ud800", "c" * 100_000]
# The first page is never mapped, nor is what lies beyond what a process can have.
NOWHERE = [0, 8, 4095, 2**46, 2**47 - 4096, 2**62, 2**63 - 1, 2**63, -8, 1.5, "8", None]
STEPS = [1, 2, 4, 8, 64, -1, -4, -16, 4096]


def claim(draft: Draft) -> None:
    """Change one claim of one run; do nothing where an earlier change has broken that."""
    runs = draft.runs()
    at = draft.chance.choice(runs) if runs else 0
    header, body = parsed(draft.frames[at])
    rows: Any = header.get("at")
    entries: Any = header.get("entries")
    if not runs or not _is_whole(rows, entries):
        return
    change = draft.chance.choice(CHANGES)
    change(draft.chance, draft.session, rows, entries)
    draft.how.append(f"{change.__name__} in frame {at}")
    draft.frames[at] = built(header, body)
    if change is elsewhere:
        draft.frames[at + 1 : at + 1] = fetched(draft.session, at)


def _is_whole(rows: Any, entries: Any) -> bool:
    if not isinstance(rows, list) or not isinstance(entries, list) or not rows or not entries:
        return False
    parts = all(isinstance(entry, dict) and "shape" in entry for entry in entries)
    return parts and all(isinstance(row, list) and row for row in rows)


def address(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Claim that a result lies in memory that holds something wrong, or in none."""
    row = chance.choice(rows)
    row[chance.randrange(len(row))] = chance.choice((*session.decoys, chance.choice(NOWHERE)))


def neighbour(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Claim that a result lies a little beside itself."""
    row = chance.choice(rows)
    place = chance.randrange(len(row))
    if isinstance(row[place], int):
        row[place] += chance.choice(STEPS)


def exchange(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Let two results change places."""
    one, other = chance.choice(rows), chance.choice(rows)
    here, there = chance.randrange(len(one)), chance.randrange(len(other))
    one[here], other[there] = other[there], one[here]


def older(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Claim that a result lies where that of another run does."""
    if session.taken:
        taken = chance.choice(session.taken)
        rows[chance.randrange(len(rows))] = list(taken.ran.addresses[taken.call])


def form(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Claim other sizes, steps or bits."""
    entry = chance.choice(entries)
    name = chance.choice(("conj", "neg", "shape", "strides", "strides"))
    old = entry.get(name)
    if isinstance(old, bool):
        entry[name] = not old
    elif isinstance(old, list) and old:
        place = chance.randrange(len(old))
        changed = (0, 1, 2, 3, 64, 2**30, 2**47)
        moved = [*old[:place], chance.choice(changed), *old[place + 1 :]]
        entry[name] = chance.choice((moved, old[::-1], [*old, 1], old[1:], [0] * len(old)))


def elsewhere(chance: random.Random, session: Session, rows: Rows, entries: Entries) -> None:
    """Claim a device that the judge can't look into; the result is sent when asked for."""
    chance.choice(entries)["device"] = chance.choice(DEVICES)
    if chance.random() < 0.5:
        address(chance, session, rows, entries)


def fetched(session: Session, at: int) -> list[bytes]:
    """Return right answers to `fetch` for the calls of the run in frame `at`."""
    addresses = parsed(session.frames[at])[0].get("at") if at < len(session.frames) else None
    calls = [taken for taken in session.taken if taken.ran.addresses == addresses]
    return [_sent(taken.values) for taken in calls]


def _sent(values: TensorTree) -> bytes:
    return framed({"op": "fetch", "value": values.tree}, values.tensors)


CHANGES = (address, address, neighbour, exchange, older, form, form, elsewhere)
