"""Checkpoints of the workflow's steps: beside the store, in the same database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from kernelwright.store.database import in_words
from kernelwright.store.store import Store

BUSY_TIMEOUT_S = 30.0

Saver = BaseCheckpointSaver[str]


@contextmanager
def checkpoints(store: Store) -> Iterator[Saver]:
    """Yield the saver that belongs to a store.

    Only SQLite's keeps steps: elsewhere a run that was killed begins its unfinished attempts again,
    from the answers that the ledger holds.

    Raises:
        StoreError: a step could not be kept.
    """
    path = store.sqlite_path
    if path is None:
        yield InMemorySaver()
        return
    try:
        # LangGraph's threads share it, behind a lock of its own.
        shared = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        with closing(shared) as connection:
            # A step that a loss of power takes with it is done again; what was paid for is stored.
            connection.execute("PRAGMA synchronous = NORMAL")
            yield SqliteSaver(connection)
    except sqlite3.Error as error:
        raise in_words(path, error) from error
