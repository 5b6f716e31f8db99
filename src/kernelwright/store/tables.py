"""The tables as SQLAlchemy sees them, for building queries. `migrations.py` creates them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Table, Text

metadata = MetaData()

schema_migrations = Table(
    "schema_migrations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text),
    Column("applied", Float),
)
runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("command", Text),
    Column("status", Text),
    Column("started", Float),
    Column("data", Text),
)
tasks = Table(
    "tasks",
    metadata,
    Column("content_hash", Text, primary_key=True),
    Column("data", Text),
)
run_tasks = Table(
    "run_tasks",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("position", Integer),
    Column("task_hash", Text),
    Column("content_hash", Text),
)
attempts = Table(
    "attempts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("candidate_hash", Text),
    Column("status", Text),
    Column("accepted", Boolean),
    Column("speedup_eager", Float),
    Column("started", Float),
    Column("data", Text),
)
model_calls = Table(
    "model_calls",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", Text),
    Column("model", Text),
    Column("cost_usd", Float),
    Column("data", Text),
    Column("messages", Text),
)
messages = Table(
    "messages",
    metadata,
    Column("key", Text, primary_key=True),
    Column("data", Text),
)
requests = Table(
    "requests",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sent", Integer),
    Column("worst", Text),
    Column("answer", Text),
    Column("data", Text),
    Column("messages", Text),
)
tool_steps = Table(
    "tool_steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("position", Integer),
    Column("data", Text),
)
lessons = Table(
    "lessons",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("category", Text),
    Column("target", Text),
    Column("data", Text),
)
lessons_shown = Table(
    "lessons_shown",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("data", Text),
)
facts_shown = Table(
    "facts_shown",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("data", Text),
)
evaluations = Table(
    "evaluations",
    metadata,
    Column("key", Text, primary_key=True),
    Column("task_hash", Text),
    Column("candidate_hash", Text),
    Column("status", Text),
    Column("data", Text),
)
task_results = Table(
    "task_results",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("status", Text),
    Column("candidate_hash", Text),
    Column("speedup_eager", Float),
    Column("data", Text),
)
events = Table(
    "events",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("at", Float),
    Column("text", Text),
)
hints = Table(
    "hints",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("text", Text),
    Column("attempt", Integer),
)
