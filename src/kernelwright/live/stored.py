"""Stored runs as plain dictionaries, for a data frame or a loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kernelwright.config import default_store
from kernelwright.live.settings import settings_of
from kernelwright.schema import Attempt, Run, Speedup
from kernelwright.store.store import Store, open_existing


def runs(limit: int | None = 20, **settings: Any) -> list[dict[str, Any]]:
    """Return the latest runs, newest first, as dictionaries of plain values.

    Their keys: run, command, status, task, started and ended (seconds since the epoch), tasks,
    improved, speedup (the largest over eager), usd, folder. What is unknown is None.

    Args:
        limit: the most runs; None: all.
        settings: `store`, where it is another than the user's own.

    Raises:
        UsageError: there is no such store.
        StoreError: it can't be opened.
    """
    location = settings_of("runs", settings).store
    if location == default_store(os.environ) and not Path(location).exists():
        return []
    with open_existing(location) as store:
        return [_run_row(store, run) for run in store.list_runs(limit)]


class StoredRun:
    """A stored run.

    Args:
        record: the run itself: its settings, versions, start and end.
        rows: what `rows()` returns.
    """

    def __init__(self, record: Run, rows: list[dict[str, Any]]) -> None:
        self.record = record
        self._rows = rows

    def rows(self) -> list[dict[str, Any]]:
        """Return the attempts in order, as dictionaries of plain values.

        Their keys: run, task, attempt (from 1), plan, backend, status (`error` and `dropped` where
        there is no verdict), accepted, reason, speedup with speedup_low and speedup_high (over
        eager, 95%), over_compile, seconds, input_tokens, cached_input_tokens, output_tokens, usd,
        source. What is unknown is None.
        """
        return [dict(row) for row in self._rows]

    def __repr__(self) -> str:
        run = self.record
        return f"run {run.id}: {run.command}, {run.status}, {len(self._rows)} attempts"


def run(reference: str, **settings: Any) -> StoredRun:
    """Return a stored run.

    Args:
        reference: its id, or the beginning of it.
        settings: `store`, where it is another than the user's own.

    Raises:
        UsageError: no run has this id, or several begin so.
        StoreError: the store can't be opened.
    """
    with open_existing(settings_of("run", settings).store) as store:
        found = store.get_run(reference)
        return StoredRun(found, list(map(_attempt_row, store.attempts_of(found.id))))


def _run_row(store: Store, run: Run) -> dict[str, Any]:
    results = store.task_results_of(run.id)
    speedups = [one.speedup for one in results if one.speedup is not None]
    return {
        "run": run.id,
        "command": run.command,
        "status": run.status,
        "task": run.config.get("task"),
        "started": run.started,
        "ended": run.ended,
        "tasks": len(store.tasks_of(run.id)),
        "improved": sum(one.status == "improved" for one in results),
        "speedup": max(speedups, default=None),
        "usd": run.usage.cost_usd,
        "folder": run.config.get("folder"),
    }


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    verdict, candidate = attempt.evaluation, attempt.candidate
    eager: Speedup | None = verdict.speedup.get("eager") if verdict else None
    compiled: Speedup | None = verdict.speedup.get("compile") if verdict else None
    low, high = eager.ci95 if eager else (None, None)
    return {
        "run": attempt.run_id,
        "task": attempt.task_id,
        "attempt": attempt.number,
        "plan": attempt.plan,
        "backend": candidate.backend if candidate else None,
        "status": str(verdict.status) if verdict else "error" if attempt.error else "dropped",
        "accepted": verdict.accepted if verdict else None,
        "reason": verdict.reason if verdict else attempt.error or attempt.dropped,
        "speedup": eager.median if eager else None,
        "speedup_low": low,
        "speedup_high": high,
        "over_compile": compiled.median if compiled else None,
        "seconds": attempt.span.ended - attempt.span.started,
        "input_tokens": attempt.usage.input_tokens,
        "cached_input_tokens": attempt.usage.cached_input_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "usd": attempt.usage.cost_usd,
        "source": candidate.source if candidate else None,
    }
