"""An earlier version's store in a private working folder, and commands that use it."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.llm.replay import Recorded
from tests.cli.kit import Done, Shell
from tests.end_to_end.test_optimize import read_until

DATA = Path(__file__).parent
RECORDING = DATA / "recording.jsonl"
STORE = "store.db"
CHAIN, BLEND = "tasks/1_Chain", "tasks/2_Blend"
STORED_RUNS = [
    ("bench", "interrupted"),
    ("optimize", "interrupted"),
    ("optimize", "done"),
    ("optimize", "done"),
]


def recorded() -> list[Recorded]:
    """Return the lines of the recording."""
    return [Recorded.model_validate_json(line) for line in RECORDING.read_text().splitlines()]


class Old(NamedTuple):
    """A shell beside the store that `make.py` made."""

    shell: Shell

    @property
    def store(self) -> Path:
        """The database."""
        return self.shell.folder / STORE

    def run(self, *arguments: str, **env: str) -> Done:
        """Run a command that uses the store."""
        return self.shell.run(*arguments, KERNELWRIGHT_STORE=STORE, **env)

    def run_until(self, text: str, *arguments: str, **env: str) -> str:
        """Run a command until it says `text`, then interrupt it; return what it said so far."""
        process = self.shell.start(*arguments, KERNELWRIGHT_STORE=STORE, **env)
        assert process.stderr is not None
        seen = read_until(process.stderr, text)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        process.communicate(timeout=120)
        return seen

    def rows(self, query: str, *values: str) -> list[Any]:
        """Return what a query finds; values alone where it asks for one column."""
        with closing(sqlite3.connect(self.store)) as connection:
            found = connection.execute(query, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def runs(self, command: str, status: str) -> list[str]:
        """Return the ids of runs, the first one first."""
        query = "SELECT id FROM runs WHERE command = ? AND status = ? ORDER BY started"
        return self.rows(query, command, status)

    def attempts(self, run: str) -> list[Any]:
        """Return the stored attempts of a run, as they lie there."""
        query = "SELECT * FROM attempts WHERE run_id = ? ORDER BY task_id, started"
        return self.rows(query, run)

    def change_config(self, run: str, changes: Mapping[str, Any], lacking: Sequence[str]) -> None:
        """Change what is stored of a run's settings, as if it had been started with others."""
        (text,) = self.rows("SELECT data FROM runs WHERE id = ?", run)
        data = json.loads(text)
        kept = {name: value for name, value in data["config"].items() if name not in lacking}
        data["config"] = {**kept, **changes}
        with closing(sqlite3.connect(self.store)) as connection, connection:
            connection.execute("UPDATE runs SET data = ? WHERE id = ?", (json.dumps(data), run))
