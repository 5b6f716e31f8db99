"""Conversations with models: every message is stored once, however many calls repeat it.

A model that is asked again is sent all that was said so far. So a row holds its conversation as the
keys of its messages, in order, separated by spaces. A key is the beginning of the message's digest.
Rows of earlier versions have no keys: their messages stand in the row itself, and stay there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from kernelwright.errors import StoreError
from kernelwright.schema import Message, digest
from kernelwright.store import tables
from kernelwright.store.rows import decode, encode

Messages = tuple[Message, ...]
KEY_DIGITS = 32
"""128 bits tell messages apart; longer keys would add up, since every call repeats them."""
KEYS_OF_A_QUERY = 500
"""Databases limit the parameters of a query."""

# Other processes may store the same message at the same time.
_PUT = text("INSERT INTO messages (key, data) VALUES (:key, :data) ON CONFLICT (key) DO NOTHING")


def put(connection: Connection, messages: Messages) -> str:
    """Store those messages that are not stored yet; return the keys of all of them."""
    found = [{"key": _key(one), "data": encode(one)} for one in messages]
    if found:
        connection.execute(_PUT, found)
    return " ".join(row["key"] for row in found)


def read(connection: Connection, rows: Sequence[str | None]) -> list[Messages | None]:
    """Return the conversations that rows hold the keys of, reading each message once.

    Returns:
        None for a row without keys.

    Raises:
        StoreError: a message is not there, or cannot be read.
    """
    keys = sorted({key for row in rows for key in (row or "").split()})
    known = {key: decode(Message, data) for key, data in _look_up(connection, keys).items()}
    if lost := len(keys) - len(known):
        raise StoreError(
            f"stored conversations lack {'a message' if lost == 1 else f'{lost} messages'}",
            hint="rows were deleted outside kernelwright; restore a copy of the database",
        )
    return [None if row is None else tuple(known[key] for key in row.split()) for row in rows]


def _key(message: Message) -> str:
    return digest(message.model_dump(mode="json"))[:KEY_DIGITS]


def _look_up(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    table = tables.messages
    found: dict[str, str] = {}
    for start in range(0, len(keys), KEYS_OF_A_QUERY):
        some = table.c.key.in_(keys[start : start + KEYS_OF_A_QUERY])
        query = select(table.c.key, table.c.data).where(some)
        found |= {row.key: row.data for row in connection.execute(query)}
    return found
