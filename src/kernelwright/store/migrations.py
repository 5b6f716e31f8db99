"""Numbered steps from an empty database to the present tables, each applied once and recorded.

A step is never edited after a release; a change of the tables is a new step at the end. The SQL
is valid in both SQLite and PostgreSQL.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, inspect, select, text

from kernelwright.errors import StoreError
from kernelwright.store.tables import schema_migrations


class Migration(NamedTuple):
    """One step; its number is its position in `MIGRATIONS`, from 1."""

    name: str
    statements: tuple[str, ...]


FIRST_TABLES = Migration(
    "first_tables",
    (
        """CREATE TABLE runs (
            id TEXT NOT NULL PRIMARY KEY, command TEXT NOT NULL, status TEXT NOT NULL,
            started DOUBLE PRECISION NOT NULL, data TEXT NOT NULL)""",
        "CREATE INDEX runs_by_start ON runs (started)",
        "CREATE TABLE tasks (content_hash TEXT NOT NULL PRIMARY KEY, data TEXT NOT NULL)",
        """CREATE TABLE run_tasks (
            run_id TEXT NOT NULL REFERENCES runs (id), task_id TEXT NOT NULL,
            position INTEGER NOT NULL, task_hash TEXT NOT NULL,
            content_hash TEXT NOT NULL REFERENCES tasks (content_hash),
            PRIMARY KEY (run_id, task_id))""",
        "CREATE INDEX run_tasks_by_hash ON run_tasks (task_hash)",
        """CREATE TABLE attempts (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, number INTEGER NOT NULL,
            candidate_hash TEXT, status TEXT, accepted BOOLEAN, speedup_eager DOUBLE PRECISION,
            started DOUBLE PRECISION NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id, number),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
        "CREATE INDEX attempts_by_candidate ON attempts (candidate_hash)",
        """CREATE TABLE model_calls (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, number INTEGER NOT NULL,
            role TEXT NOT NULL, model TEXT NOT NULL, cost_usd DOUBLE PRECISION,
            data TEXT NOT NULL, PRIMARY KEY (run_id, task_id, number),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
        """CREATE TABLE evaluations (
            key TEXT NOT NULL PRIMARY KEY, task_hash TEXT NOT NULL,
            candidate_hash TEXT NOT NULL, status TEXT NOT NULL, data TEXT NOT NULL)""",
        """CREATE TABLE task_results (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, status TEXT NOT NULL,
            candidate_hash TEXT, speedup_eager DOUBLE PRECISION, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
        """CREATE TABLE events (
            run_id TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL,
            at DOUBLE PRECISION NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run_id, number))""",
    ),
)

REQUESTS = Migration(
    "requests",
    (
        """CREATE TABLE requests (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL,
            key TEXT NOT NULL, sent INTEGER NOT NULL, worst TEXT NOT NULL, answer TEXT,
            data TEXT NOT NULL, PRIMARY KEY (run_id, task_id, attempt, key),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
    ),
)

LESSONS = Migration(
    "lessons",
    (
        """CREATE TABLE lessons (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL,
            category TEXT, target TEXT NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id, attempt))""",
        """CREATE TABLE lessons_shown (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id))""",
    ),
)

# A number counts from 1; these columns hold positions, which count from 0.
POSITIONS = Migration(
    "positions",
    tuple(
        f"ALTER TABLE {table} RENAME COLUMN number TO position"
        for table in ("attempts", "model_calls", "events")
    ),
)

FACTS = Migration(
    "facts_shown",
    (
        """CREATE TABLE facts_shown (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id))""",
    ),
)

# In rows that were there before, `messages` is null: what was said stands in `data`.
MESSAGES = Migration(
    "messages",
    (
        "CREATE TABLE messages (key TEXT NOT NULL PRIMARY KEY, data TEXT NOT NULL)",
        "ALTER TABLE model_calls ADD COLUMN messages TEXT",
        "ALTER TABLE requests ADD COLUMN messages TEXT",
    ),
)

TOOL_STEPS = Migration(
    "tool_steps",
    (
        """CREATE TABLE tool_steps (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL,
            key TEXT NOT NULL, position INTEGER NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (run_id, task_id, attempt, key),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
    ),
)

HINTS = Migration(
    "hints",
    (
        """CREATE TABLE hints (
            run_id TEXT NOT NULL, task_id TEXT NOT NULL, position INTEGER NOT NULL,
            text TEXT NOT NULL, attempt INTEGER, PRIMARY KEY (run_id, task_id, position),
            FOREIGN KEY (run_id, task_id) REFERENCES run_tasks (run_id, task_id))""",
    ),
)

MIGRATIONS: tuple[Migration, ...] = (
    FIRST_TABLES,
    REQUESTS,
    LESSONS,
    POSITIONS,
    FACTS,
    MESSAGES,
    TOOL_STEPS,
    HINTS,
)
CURRENT = len(MIGRATIONS)


def version(connection: Connection) -> int:
    """Return the number of steps that this database has had; 0 for an empty one.

    Raises:
        StoreError: the database belongs to another program, or to a newer kernelwright.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return 0
    if schema_migrations.name not in tables:
        raise StoreError(
            "the database belongs to another program", hint="choose another path for the store"
        )
    found = connection.execute(select(func.max(schema_migrations.c.number))).scalar_one() or 0
    if found > CURRENT:
        raise StoreError(
            f"the database has schema version {found}; this kernelwright knows up to {CURRENT}",
            hint="upgrade kernelwright, or choose another path for the store",
        )
    return int(found)


def migrate(connection: Connection) -> None:
    """Apply the missing steps, inside the caller's transaction."""
    start = version(connection)
    if start == 0:
        schema_migrations.create(connection, checkfirst=True)
    for number, migration in enumerate(MIGRATIONS[start:], start=start + 1):
        for statement in migration.statements:
            connection.execute(text(statement))
        row = {"number": number, "name": migration.name, "applied": time.time()}
        connection.execute(insert(schema_migrations).values(row))
