"""Result folders. One task's has result.json, report.html, and where there is one the optimised
file with what compares it to its reference: that reference, and reproduce.py. A suite's has
bench.json and the report of all tasks.

All files of a task are written before the first is put in place, and result.json is put in place
last: where result.json can be read, the folder is complete.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from kernelwright.errors import UsageError
from kernelwright.report.html import render_report
from kernelwright.report.ordinary import measured_before
from kernelwright.report.verdict import plain, verdict_document
from kernelwright.reproduce.files import (
    SCRIPT,
    candidate_file_name,
    reference_file_name,
    reproduction,
)
from kernelwright.schema import (
    SCHEMA_VERSION,
    Candidate,
    OrdinaryRun,
    Origin,
    Record,
    Run,
    Task,
    Usage,
)
from kernelwright.store.files import explained, write_all_atomically
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import TaskResult, TaskStatus
from kernelwright.store.store import Store

if TYPE_CHECKING:  # a result can be read without torch
    from kernelwright.batch.suite import SuiteResult

RESULT = "result.json"
REPORT = "report.html"
SUITE = "bench.json"


class TaskReference(Record):
    """The id and hash of a task."""

    id: str
    hash: str


class CandidateReference(Record):
    """The identity and origin of a candidate, and the name of its file."""

    hash: str
    backend: str
    entry_point: str
    origin: Origin
    file: str | None
    """Name of the file in the result folder; None unless the candidate is an improvement."""


class ResultDocument(Record):
    """The content of result.json."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    task: TaskReference
    status: TaskStatus
    """`not_decided`: the machine was too busy for the final times to tell."""
    error: str | None
    candidate: CandidateReference | None
    scope: dict[str, Any] | None = None
    """The calls that the proof covers: see `kernelwright.delivery.scope`."""
    verdict: dict[str, Any] | None
    """Verdict document, as `verify --json` prints it."""
    ordinary: OrdinaryRun | None = None
    """The candidate in ordinary interpreters, which tells what a user sees and proves nothing."""
    usage: Usage


class ResultFiles(NamedTuple):
    """The paths of the files; the last two are None where nothing better was found."""

    result: Path
    report: Path
    candidate: Path | None
    script: Path | None


def write_result(out_dir: Path, run: Run, found: TaskRecord) -> ResultFiles:
    """Write the result folder of a task that has an answer; replace an earlier result there.

    Raises:
        PrerequisiteError: the folder cannot be written, or the disk is full.
        ValueError: the task has no answer, or is improved by a candidate that no attempt has.
    """
    result, best = _answer(found)
    name = candidate_file_name(found.task.id) if result.status == "improved" else None
    stale = _files_in(out_dir)
    document = _document(run, found, result, name).model_dump_json(indent=2)
    files = _candidate_files(found.task, best, result, name) if name and best else {}
    files |= {REPORT: render_report(run, [found]), RESULT: document + "\n"}
    write_all_atomically(out_dir, files)
    with explained(out_dir):
        for old in stale - set(files):
            (out_dir / old).unlink(missing_ok=True)
    return ResultFiles(
        result=out_dir / RESULT,
        report=out_dir / REPORT,
        candidate=out_dir / name if name else None,
        script=out_dir / SCRIPT if name else None,
    )


def read_result(out_dir: Path) -> ResultDocument:
    """Read a result folder back.

    Raises:
        UsageError: there is no result in it, or one of another version.
    """
    path = out_dir / RESULT
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"no result in {out_dir}: {error.strerror}", "give the folder named by --out"
        ) from error
    version = _version_of(text)
    if version != SCHEMA_VERSION:
        shown = "no version" if version is None else f"version {version}"
        raise UsageError(
            f"{path} has {shown}; this kernelwright reads version {SCHEMA_VERSION}",
            "make the result again, or use the kernelwright that wrote it",
        )
    try:
        return ResultDocument.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"{path} is not a result file", "make the result again") from error


def write_suite(out_dir: Path, store: Store, suite: SuiteResult) -> None:
    """Write `bench.json` and the report of the whole run.

    Raises:
        PrerequisiteError: the folder cannot be written.
    """
    files = {
        REPORT: render_report(suite.run, list(store.task_records(suite.run))),
        SUITE: json.dumps(suite.document(), indent=2) + "\n",
    }
    write_all_atomically(out_dir, files)


def _answer(found: TaskRecord) -> tuple[TaskResult, Candidate | None]:
    if found.result is None:
        raise ValueError(f"task {found.task.id!r} has no answer yet")
    if found.result.status == "improved" and found.best is None:
        raise ValueError(f"no attempt has candidate {found.result.candidate_hash}")
    return found.result, found.best


def _document(run: Run, found: TaskRecord, result: TaskResult, name: str | None) -> ResultDocument:
    best, verdict, reference = found.best, None, None
    if best is not None:
        reference = CandidateReference(
            hash=best.hash,
            backend=best.backend,
            entry_point=best.entry_point,
            origin=best.origin,
            file=name,
        )
        if result.evaluation is not None:
            verdict = verdict_document(found.task, best, result.evaluation)
    return ResultDocument(
        run_id=run.id,
        task=TaskReference(id=found.task.id, hash=found.task.hash),
        status=result.status,
        error=result.error,
        candidate=reference,
        scope=plain(result.scope) if result.scope else None,
        verdict=verdict,
        ordinary=result.ordinary,
        usage=found.usage,
    )


def _version_of(text: str) -> int | None:
    class Versioned(Record, extra="ignore"):
        schema_version: int | None = None

    try:
        return Versioned.model_validate_json(text).schema_version
    except ValidationError:
        return None


def _candidate_files(task: Task, best: Candidate, result: TaskResult, name: str) -> dict[str, str]:
    assert result.evaluation is not None
    device = str(result.evaluation.environment.get("device", "cpu"))
    kind = device.partition(":")[0]
    return {name: best.source, **reproduction(task, best, kind, measured_before(result))}


def _files_in(out_dir: Path) -> set[str]:
    """Return the names of the files that an earlier result put here beside its own two."""
    try:
        earlier = read_result(out_dir)
    except UsageError:
        return set()
    name = candidate_file_name(earlier.task.id)
    if earlier.candidate is None or earlier.candidate.file != name:
        return set()
    return {name, reference_file_name(earlier.task.id), SCRIPT}
