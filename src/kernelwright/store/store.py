"""The store: all records of runs, in one database.

All methods are safe to call from several threads, and several processes may use one database at
once, each with its own `Store`. Every `add_` is one transaction. Nouns are frozen: a stored noun is
replaced only where a method says so. Any method may raise `StoreError`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from sqlalchemy import Column, Connection, Table, delete, func, insert, or_, select, update

from kernelwright.errors import StoreError, UsageError, did_you_mean
from kernelwright.schema import (
    Attempt,
    Evaluation,
    Facts,
    Lesson,
    ModelCall,
    Record,
    Run,
    RunStatus,
    Task,
    ToolStep,
    Usage,
    digest,
)
from kernelwright.store import conversations, rows, tables
from kernelwright.store.conversations import Messages
from kernelwright.store.database import Database, require_file
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import Event, Lost, Outcome, TaskResult

KNOWN_RUNS_IN_HINT = 10


def open_store(location: str | Path) -> Store:
    """Open the database at a path or URL; a missing SQLite file is created.

    Raises:
        StoreError: it cannot be opened or written, is damaged, or is of a newer version.
        UsageError: `location` is a URL that means nothing.
    """
    return Store(Database(location))


def open_existing(location: str | Path) -> Store:
    """Open a database that exists; unlike `open_store`, never create one.

    Raises:
        StoreError: as `open_store` does.
        UsageError: there is no such file, or `location` is a URL that means nothing.
    """
    require_file(location)
    return open_store(location)


class Store:
    """The store of runs, tasks, attempts, model calls, cached evaluations and answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def location(self) -> str:
        """Path or URL of the database, for messages."""
        return self._database.name

    @property
    def sqlite_path(self) -> str | None:
        """Path of the database's file; None where a server has it."""
        return self._database.sqlite_path

    def close(self) -> None:
        """Close all connections; nothing is lost without it."""
        self._database.close()

    # Runs

    def add_run(self, run: Run) -> None:
        """Store a new run."""
        with self._database.writing() as connection:
            connection.execute(insert(tables.runs).values(rows.run_row(run)))

    def update_run(
        self,
        run_id: str,
        *,
        status: RunStatus,
        ended: float | None = None,
        usage: Usage | None = None,
        error: str | None = None,
    ) -> Run:
        """Set status, end and error of a run, and its usage where one is given.

        Returns:
            The run as stored.
        """
        with self._database.writing() as connection:
            query = select(tables.runs.c.data).where(tables.runs.c.id == run_id)
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                raise StoreError(f"run {run_id!r} is not stored", hint="add it first")
            old = rows.decode(Run, found)
            changes = {"status": status, "ended": ended, "error": error}
            run = old.model_copy(update={**changes, "usage": usage or old.usage})
            statement = update(tables.runs).where(tables.runs.c.id == run_id)
            connection.execute(statement.values(rows.run_row(run)))
        return run

    def find_run(self, run_id: str) -> Run | None:
        """Return the run with exactly this id; None where there is none."""
        query = select(tables.runs.c.data).where(tables.runs.c.id == run_id)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else rows.decode(Run, found)

    def get_run(self, reference: str) -> Run:
        """Return the run with this id, or the only one with an id that starts so.

        Raises:
            UsageError: no such run, or several.
        """
        column = tables.runs.c.id
        query = select(column, tables.runs.c.data).where(
            column.startswith(reference, autoescape=True)
        )
        with self._database.reading() as connection:
            found = {row.id: row.data for row in connection.execute(query)} if reference else {}
        if reference in found:
            return rows.decode(Run, found[reference])
        if len(found) == 1:
            return rows.decode(Run, found.popitem()[1])
        if found:
            raise UsageError(f"{reference!r} is the start of several runs", ", ".join(found))
        raise UsageError(f"unknown run {reference!r}", self._known_runs(reference))

    def _known_runs(self, reference: str) -> str:
        known = [run.id for run in self.list_runs(KNOWN_RUNS_IN_HINT)]
        return did_you_mean(reference, known) if known else f"no run is stored in {self.location}"

    def list_runs(self, limit: int | None = 20) -> list[Run]:
        """Return runs, newest first; all of them when `limit` is None."""
        query = select(tables.runs.c.data).order_by(
            tables.runs.c.started.desc(), tables.runs.c.id.desc()
        )
        with self._database.reading() as connection:
            found = connection.execute(query.limit(limit)).scalars().all()
        return [rows.decode(Run, data) for data in found]

    # Tasks and their answers

    def add_task(self, run_id: str, task: Task) -> None:
        """Store a task of a run; its content is kept once for all runs.

        Raises:
            UsageError: the run has this task id with other content.
        """
        content_hash = digest(task.model_dump(mode="json"))
        with self._database.writing() as connection:
            known = self._content_of(connection, run_id, task.id)
            if known == content_hash:
                return
            if known is not None:
                raise UsageError(
                    f"task {task.id!r} has changed since run {run_id!r} began",
                    hint="start a new run for the changed task",
                )
            _add_content(connection, content_hash, task)
            row = {"run_id": run_id, "task_id": task.id, "task_hash": task.hash}
            place = {"position": _next(connection, tables.run_tasks.c.position, run_id=run_id)}
            values = {**row, **place, "content_hash": content_hash}
            connection.execute(insert(tables.run_tasks).values(values))

    def _content_of(self, connection: Connection, run_id: str, task_id: str) -> str | None:
        query = select(tables.run_tasks.c.content_hash)
        found = query.filter_by(run_id=run_id, task_id=task_id)
        return connection.execute(found).scalar_one_or_none()

    def tasks_of(self, run_id: str) -> list[Task]:
        """Return the tasks of a run, in the order in which they were added."""
        query = (
            select(tables.tasks.c.data)
            .join(tables.run_tasks, tables.run_tasks.c.content_hash == tables.tasks.c.content_hash)
            .where(tables.run_tasks.c.run_id == run_id)
            .order_by(tables.run_tasks.c.position)
        )
        with self._database.reading() as connection:
            found = connection.execute(query).scalars().all()
        return [rows.decode(Task, data) for data in found]

    def add_task_result(self, run_id: str, result: TaskResult) -> None:
        """Store the answer for a task; replace an earlier answer."""
        table = tables.task_results
        with self._database.writing() as connection:
            connection.execute(delete(table).filter_by(run_id=run_id, task_id=result.task_id))
            connection.execute(insert(table).values(rows.result_row(run_id, result)))

    def task_results_of(self, run_id: str) -> list[TaskResult]:
        """Return the answers so far, in the order of the run's tasks."""
        results, places = tables.task_results, tables.run_tasks
        same = (results.c.run_id == places.c.run_id) & (results.c.task_id == places.c.task_id)
        query = select(results.c.data).join(places, same).where(results.c.run_id == run_id)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(places.c.position)).scalars().all()
        return [rows.decode(TaskResult, data) for data in found]

    def outcomes_of(self, run_id: str) -> list[Outcome]:
        """Return the outcome of each task of a run, in their order, without what led to it."""
        results, places = tables.task_results, tables.run_tasks
        same = (results.c.run_id == places.c.run_id) & (results.c.task_id == places.c.task_id)
        columns = (places.c.task_id, results.c.status, results.c.speedup_eager)
        query = select(*columns).join_from(places, results, same, isouter=True)
        ordered = query.where(places.c.run_id == run_id).order_by(places.c.position)
        with self._database.reading() as connection:
            return [Outcome(*row) for row in connection.execute(ordered)]

    # Attempts and model calls

    def add_attempt(self, attempt: Attempt) -> None:
        """Store an attempt; storing the same one again changes nothing.

        Raises:
            StoreError: another attempt has its position, or its run or task is not stored.
        """
        row = rows.attempt_row(attempt)
        table = tables.attempts
        with self._database.writing() as connection:
            place = {name: row[name] for name in ("run_id", "task_id", "position")}
            query = select(table.c.data).filter_by(**place)
            known = connection.execute(query).scalar_one_or_none()
            if known is None:
                connection.execute(insert(table).values(row))
            elif known != row["data"]:
                raise StoreError(
                    f"attempt {attempt.index} of {attempt.task_id!r} is stored with other content",
                    hint="two processes may be continuing the same run; stop one of them",
                )

    def attempts_of(self, run_id: str, task_id: str | None = None) -> list[Attempt]:
        """Return the attempts of a run or of one of its tasks, by task and index."""
        table = tables.attempts
        query = select(table.c.data).where(table.c.run_id == run_id)
        if task_id is not None:
            query = query.where(table.c.task_id == task_id)
        with self._database.reading() as connection:
            ordered = query.order_by(table.c.task_id, table.c.position)
            found = connection.execute(ordered).scalars().all()
        return [rows.decode(Attempt, data) for data in found]

    def answer_to(self, run_id: str, task_id: str, attempt: int, key: str) -> str | None:
        """Return the answer that `settle` stored for a request; None where there is none yet."""
        place = {"run_id": run_id, "task_id": task_id, "attempt": attempt, "key": key}
        query = select(tables.requests.c.answer).filter_by(**place)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def journal(
        self,
        run_id: str,
        task_id: str,
        attempt: int,
        key: str,
        request: Record,
        messages: Messages,
        worst: Usage,
    ) -> None:
        """Record that a request is about to be sent, perhaps not for the first time.

        Args:
            key: identity of the request among those of the attempt.
            request: all but its messages.
            worst: upper bound on the usage of an answer.
        """
        table = tables.requests
        place = {"run_id": run_id, "task_id": task_id, "attempt": attempt, "key": key}
        again = update(table).filter_by(**place).values(sent=table.c.sent + 1)
        texts = {"worst": rows.encode(worst), "data": rows.encode(request)}
        with self._database.writing() as connection:
            if connection.execute(again).rowcount == 0:
                keys = conversations.put(connection, messages)
                row = {**place, **texts, "messages": keys, "sent": 1}
                connection.execute(insert(table).values(row))

    def settle(
        self, run_id: str, task_id: str, attempt: int, key: str, answer: str, call: ModelCall
    ) -> None:
        """Store the answer to a journaled request, and its model call."""
        place = {"run_id": run_id, "task_id": task_id, "attempt": attempt, "key": key}
        with self._database.writing() as connection:
            answered = update(tables.requests).filter_by(**place).values(answer=answer)
            connection.execute(answered)
            _add_call(connection, run_id, task_id, call)

    def lost_usage(self, run_id: str, task_id: str | None = None) -> list[Lost]:
        """Return an upper bound on the usage of each request of a run that was never answered.

        There is one entry for each sending: calls and tries that failed, and those that a killed
        process had under way.
        """
        table = tables.requests
        place = {"run_id": run_id} | ({} if task_id is None else {"task_id": task_id})
        columns = (table.c.attempt, table.c.worst, table.c.sent, table.c.answer)
        with self._database.reading() as connection:
            found = connection.execute(select(*columns).filter_by(**place)).all()
        return [
            Lost(row.attempt, rows.decode(Usage, row.worst))
            for row in found
            for _ in range(row.sent - (row.answer is not None))
        ]

    def add_model_call(self, run_id: str, task_id: str, call: ModelCall) -> None:
        """Append a model call to those of the task."""
        with self._database.writing() as connection:
            _add_call(connection, run_id, task_id, call)

    def model_calls_of(self, run_id: str, task_id: str | None = None) -> list[ModelCall]:
        """Return the model calls of a run or of one of its tasks, in order."""
        table = tables.model_calls
        query = select(table.c.data, table.c.messages).where(table.c.run_id == run_id)
        if task_id is not None:
            query = query.where(table.c.task_id == task_id)
        with self._database.reading() as connection:
            ordered = query.order_by(table.c.task_id, table.c.position)
            found = connection.execute(ordered).all()
            said = conversations.read(connection, [row.messages for row in found])
        calls = (rows.decode(ModelCall, row.data) for row in found)
        return [
            call if messages is None else call.model_copy(update={"messages": messages})
            for call, messages in zip(calls, said, strict=True)
        ]

    def add_tool_step(
        self, run_id: str, task_id: str, attempt: int, key: str, step: ToolStep
    ) -> ToolStep:
        """Store a tool's step, unless the attempt has one under its key.

        Returns:
            The step that is stored: two processes may have carried out the same call.
        """
        table = tables.tool_steps
        place = {"run_id": run_id, "task_id": task_id, "attempt": attempt, "key": key}
        with self._database.writing() as connection:
            query = select(table.c.data).filter_by(**place)
            known = connection.execute(query).scalar_one_or_none()
            if known is not None:
                return rows.decode(ToolStep, known)
            position = _next(connection, table.c.position, run_id=run_id, task_id=task_id)
            row = {**place, "position": position, "data": rows.encode(step)}
            connection.execute(insert(table).values(row))
        return step

    def tool_step(self, run_id: str, task_id: str, attempt: int, key: str) -> ToolStep | None:
        """Return the step that is stored under a key of an attempt; None where there is none."""
        place = {"run_id": run_id, "task_id": task_id, "attempt": attempt, "key": key}
        query = select(tables.tool_steps.c.data).filter_by(**place)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else rows.decode(ToolStep, found)

    def tool_steps_of(self, run_id: str, task_id: str) -> dict[int, list[ToolStep]]:
        """Return the tools' steps of each attempt by its index, in the order of their storing."""
        table = tables.tool_steps
        query = select(table.c.attempt, table.c.data).filter_by(run_id=run_id, task_id=task_id)
        with self._database.reading() as connection:
            stored = connection.execute(query.order_by(table.c.position)).all()
        found: dict[int, list[ToolStep]] = {}
        for row in stored:
            found.setdefault(row.attempt, []).append(rows.decode(ToolStep, row.data))
        return found

    def task_record(self, run: Run, task_id: str) -> TaskRecord:
        """Return all that is known of one task of a run.

        Raises:
            UsageError: the run has no such task.
        """
        by_id = {task.id: task for task in self.tasks_of(run.id)}
        if task_id not in by_id:
            hint = did_you_mean(task_id, list(by_id)) if by_id else "the run has no tasks"
            raise UsageError(f"run {run.id!r} has no task {task_id!r}", hint)
        results = {result.task_id: result for result in self.task_results_of(run.id)}
        return TaskRecord(
            run,
            by_id[task_id],
            results.get(task_id),
            self.attempts_of(run.id, task_id),
            self.model_calls_of(run.id, task_id),
            self.tool_steps_of(run.id, task_id),
        )

    def task_records(self, run: Run) -> Iterator[TaskRecord]:
        """Yield all that is known of a run's tasks, one at a time, in their order."""
        for task in self.tasks_of(run.id):
            yield self.task_record(run, task.id)

    # Lessons

    def put_lesson(self, lesson: Lesson) -> None:
        """Store a lesson; replace an earlier one of the same attempt."""
        table = tables.lessons
        key = {name: getattr(lesson, name) for name in ("run_id", "task_id", "attempt")}
        with self._database.writing() as connection:
            connection.execute(delete(table).filter_by(**key))
            connection.execute(insert(table).values(rows.lesson_row(lesson)))

    def lessons_for(self, category: str | None, target: str) -> list[Lesson]:
        """Return the lessons of an operator class on a kind of device, in the order of keys."""
        table = tables.lessons
        query = select(table.c.data).filter_by(category=category, target=target)
        ordered = query.order_by(table.c.run_id, table.c.task_id, table.c.attempt)
        with self._database.reading() as connection:
            found = connection.execute(ordered).scalars().all()
        return [rows.decode(Lesson, data) for data in found]

    def fix_lessons(
        self, run_id: str, task_id: str, choose: Callable[[], list[Lesson]]
    ) -> list[Lesson]:
        """Return the lessons that a task of a run is shown.

        `choose` is called once and its choice stored, so that a continued run shows the same.
        """
        table = tables.lessons_shown
        query = select(table.c.data).filter_by(run_id=run_id, task_id=task_id)
        with self._database.reading() as connection:
            known = connection.execute(query).scalar_one_or_none()
        if known is not None:
            return [rows.decode(Lesson, data) for data in json.loads(known)]
        chosen = choose()
        texts = json.dumps([rows.encode(lesson) for lesson in chosen])
        with self._database.writing() as connection:
            row = {"run_id": run_id, "task_id": task_id, "data": texts}
            connection.execute(insert(table).values(row))
        return chosen

    # Facts

    def facts_of(self, run_id: str, task_id: str) -> Facts | None:
        """Return the facts that a task of a run is shown; None where none were gathered."""
        table = tables.facts_shown
        query = select(table.c.data).filter_by(run_id=run_id, task_id=task_id)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else rows.decode(Facts, found)

    def fix_facts(self, run_id: str, task_id: str, gather: Callable[[], Facts]) -> Facts:
        """Return the facts that a task of a run is shown.

        `gather` is called once and its answer stored, so that a continued run shows the same.
        """
        known = self.facts_of(run_id, task_id)
        if known is not None:
            return known
        facts = gather()
        row = {"run_id": run_id, "task_id": task_id, "data": rows.encode(facts)}
        with self._database.writing() as connection:
            connection.execute(insert(tables.facts_shown).values(row))
        return facts

    # Hints

    def add_hint(self, run_id: str, task_id: str, text: str) -> None:
        """Store a user's hint for a search, perhaps one that another process is running."""
        place = {"run_id": run_id, "task_id": task_id}
        with self._database.writing() as connection:
            position = _next(connection, tables.hints.c.position, **place)
            connection.execute(insert(tables.hints).values(**place, position=position, text=text))

    def take_hints(self, run_id: str, task_id: str, attempt: int) -> list[str]:
        """Give the hints that no earlier attempt has to one; return all that it has, in order.

        Asked again, as by a search that was killed meanwhile, it gives the same and what is new.

        Args:
            attempt: index of the attempt.
        """
        table, place = tables.hints, {"run_id": run_id, "task_id": task_id}
        not_given = or_(table.c.attempt.is_(None), table.c.attempt > attempt)
        give = update(table).filter_by(**place).where(not_given).values(attempt=attempt)
        given = select(table.c.text).filter_by(**place, attempt=attempt)
        with self._database.writing() as connection:
            connection.execute(give)
            return list(connection.execute(given.order_by(table.c.position)).scalars())

    # Evaluation cache and progress

    def cached_evaluation(self, key: str) -> Evaluation | None:
        """Return the evaluation stored under `key`; None when there is none."""
        query = select(tables.evaluations.c.data).filter_by(key=key)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else rows.decode(Evaluation, found)

    def cache_evaluation(self, key: str, evaluation: Evaluation) -> None:
        """Store an evaluation under `key`; replace an earlier one."""
        table = tables.evaluations
        with self._database.writing() as connection:
            connection.execute(delete(table).filter_by(key=key))
            connection.execute(insert(table).values(rows.evaluation_row(key, evaluation)))

    def add_event(self, run_id: str, text: str) -> None:
        """Store a progress line with the current time."""
        with self._database.writing() as connection:
            position = _next(connection, tables.events.c.position, run_id=run_id)
            row = {"run_id": run_id, "position": position, "at": time.time(), "text": text}
            connection.execute(insert(tables.events).values(row))

    def events_of(self, run_id: str, start: int = 0) -> list[Event]:
        """Return the progress lines of a run from number `start` on, counted from 0."""
        table = tables.events
        query = select(table.c.position, table.c.at, table.c.text).where(
            table.c.run_id == run_id, table.c.position >= start
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(table.c.position)).all()
        return [Event(number=row.position, at=row.at, text=row.text) for row in found]


def _add_content(connection: Connection, content_hash: str, task: Task) -> None:
    table: Table = tables.tasks
    query = select(table.c.content_hash).filter_by(content_hash=content_hash)
    if connection.execute(query).first() is None:
        row = {"content_hash": content_hash, "data": rows.encode(task)}
        connection.execute(insert(table).values(row))


def _add_call(connection: Connection, run_id: str, task_id: str, call: ModelCall) -> None:
    table = tables.model_calls
    position = _next(connection, table.c.position, run_id=run_id, task_id=task_id)
    key = {"run_id": run_id, "task_id": task_id, "position": position}
    said = {"messages": conversations.put(connection, call.messages)}
    connection.execute(insert(table).values({**key, **rows.call_row(call), **said}))


def _next(connection: Connection, column: Column[int], **key: str) -> int:
    query = select(func.max(column)).filter_by(**key)
    last = connection.execute(query).scalar_one()
    return 0 if last is None else last + 1
