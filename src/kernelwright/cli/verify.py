"""`kernelwright verify`: the verdict on candidate files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import JUDGE, with_settings
from kernelwright.tasks.kinds.module import MODULE

if TYPE_CHECKING:
    from kernelwright.config import Settings
    from kernelwright.schema import Candidate, Evaluation, Level, Task
    from kernelwright.verifier.audit.audit import AuditFinding


@with_settings("target", *JUDGE, "uses", "threads")
def verify(
    task: Annotated[str, typer.Argument(help="A KernelBench-format file, or a library id.")],
    candidates: Annotated[
        list[Path],
        typer.Argument(metavar="CANDIDATE...", help=f"Files with class {MODULE.candidate}."),
    ],
    settings: Settings,
    level: Annotated[str, typer.Option(help="fast, standard or strict.")] = "standard",
    set_: options.Sets = None,
    json: options.Json = False,
) -> None:
    """Check candidates' values and time them against the reference.

    With several candidates, --json prints one document a line. Exit code 0: all were accepted.
    1: one was refused or is wrong; the reason is printed. A task on which a verdict may mean
    nothing (all zeros would be accepted) gets a warning.
    """
    from json import dumps

    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.loader import load_task

    loaded = load_task(task, parse_settings(set_), settings.tolerance)
    given = {path: read_candidate(path) for path in candidates}
    accepted = True
    for path, evaluation, findings in _evaluations(loaded, given, known_level(level), settings):
        accepted = accepted and evaluation.accepted
        if json:
            document = _document(loaded, given[path], evaluation, path)
            document["task_findings"] = [finding._asdict() for finding in findings]
            typer.echo(dumps(document, indent=2 if len(given) == 1 else None))
        else:
            _print(evaluation, str(path) if len(given) > 1 else loaded.id)
            for finding in findings:
                where = f"the task's workload {finding.workload!r}"
                typer.echo(f"warning: {where}: {finding.rule}: {finding.evidence}")
    raise typer.Exit(0 if accepted else 1)


def known_level(name: str) -> Level:
    """Return the level of this name. Raises UsageError for an unknown one."""
    from kernelwright.errors import UsageError, did_you_mean
    from kernelwright.verifier.levels import EFFORTS

    for level in EFFORTS:
        if level == name:
            return level
    raise UsageError(f"unknown level {name!r}", hint=did_you_mean(name, list(EFFORTS)))


def read_candidate(path: Path) -> Candidate:
    """Return a user's file as a candidate. Raises UsageError where it can't be one."""
    from kernelwright.backends.registry import guess_backend
    from kernelwright.errors import UsageError
    from kernelwright.schema import Candidate, Origin

    try:
        source = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read candidate {str(path)!r}: {reason}") from error
    if MODULE.candidate not in source:
        raise UsageError(
            f"{str(path)!r} defines no {MODULE.candidate}",
            hint=f"a candidate is a file with class {MODULE.candidate}",
        )
    return Candidate(source=source, backend=guess_backend(source), origin=Origin(kind="user"))


def _evaluations(
    task: Task, candidates: Mapping[Path, Candidate], level: Level, settings: Settings
) -> Iterator[tuple[Path, Evaluation, list[AuditFinding]]]:
    """Yield the verdict on each candidate, and what a quick audit finds wrong with the task."""
    from kernelwright.backends.registry import require_backends
    from kernelwright.cli.machine import tell_of_unused_gpu, terminable
    from kernelwright.executors.local import LocalExecutor
    from kernelwright.schema import Criteria, EvaluationJob
    from kernelwright.verifier.audit.audit import quick_audit

    criteria = Criteria(policy=settings.policy, uses=settings.uses)
    spec = settings.machine
    tell_of_unused_gpu(settings)
    with terminable(), LocalExecutor(settings.cache_dir) as executor:
        kind = executor.machine(spec).kind
        for candidate in candidates.values():
            require_backends((candidate.backend,), kind, timed=False)
        reference = executor.reference(task, spec)
        findings = quick_audit(reference)
        typer.echo(f"memory: {reference.memory_words}", err=True)
        for path, candidate in candidates.items():
            job = EvaluationJob(
                task=task, candidate=candidate, level=level, criteria=criteria, machine=spec
            )
            yield path, executor.evaluate(job), findings


def _document(
    task: Task, candidate: Candidate, evaluation: Evaluation, path: Path
) -> dict[str, Any]:
    from kernelwright.report.verdict import verdict_document

    document = verdict_document(task, candidate, evaluation)
    document["candidate"]["file"] = str(path)
    return document


def _print(evaluation: Evaluation, name: str) -> None:
    from kernelwright.report.authorship import authorship
    from kernelwright.report.uses import uses_lines
    from kernelwright.report.verdict import evaluation_words, evidence_words, explanation

    answer = "accepted" if evaluation.accepted else "refused"
    typer.echo(f"{name}: {answer}: {evaluation.reason}")
    if evaluation.accepted:
        typer.echo(evaluation_words(evaluation))
        typer.echo(f"it is {authorship(evaluation).words}")
        for line in evidence_words(evaluation):
            typer.echo(line)
        typer.echo(f"proven for: {'; '.join(evaluation.scope)}")
    for line in uses_lines(evaluation.uses):
        typer.echo(line)
    for sentence in explanation(evaluation):
        typer.echo(f"hint: {sentence}")
    for flag in evaluation.flags:
        typer.echo(f"{flag.severity}: {flag.rule}: {flag.evidence}")
    lacks = "; ".join(evaluation.sandbox.lacks)
    typer.echo(f"sandbox {evaluation.sandbox.kind!r} does not hold: {lacks}")
