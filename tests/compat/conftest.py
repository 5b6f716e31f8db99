"""Fixtures of the tests with an earlier version's data."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cli.conftest import shell as shell
from tests.cli.kit import Shell
from tests.compat.kit import DATA, STORE, Old
from tests.llm.loopback import Loopback


@pytest.fixture
def old(shell: Shell) -> Old:
    """Return a working folder with the tasks and the store; paths in the store lead there."""
    folder = str(shell.folder)
    shutil.copytree(DATA / "tasks", shell.folder / "tasks")
    text = (DATA / "store.sql").read_text(encoding="utf-8")
    text = text.replace("/home/user/project", folder).replace("/home/user", folder)
    with closing(sqlite3.connect(shell.folder / STORE)) as connection:
        connection.executescript(text)
    return Old(shell)


@pytest.fixture
def provider() -> Iterator[Loopback]:
    """Yield a server for one test."""
    server = Loopback()
    yield server
    server.close()
