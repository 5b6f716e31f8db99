"""`kernelwright verify`: the verdict on candidate files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import JUDGE, with_settings
from kernelwright.tasks.kinds.module import MODULE

if TYPE_CHECKING:
    from kernelwright.config import Settings
    from kernelwright.errors import KernelwrightError
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

    With several candidates, --json prints one document a line, and one that can't be judged stops
    no other. Exit code 0: all were accepted. 1: one was refused or is wrong; the reason is printed.
    2: a file is no candidate. 3: something is missing here that one needs. A task on which a
    verdict may mean nothing (all zeros would be accepted) gets a warning.
    """
    from json import dumps

    from kernelwright.errors import KernelwrightError
    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.loader import load_task

    loaded = load_task(task, parse_settings(set_), settings.tolerance)
    wanted = known_level(level)
    code, several = 0, len(candidates) > 1
    for path, judged in _judged(loaded, candidates, wanted, settings):
        code = max(code, _exit_code(judged))
        if json:
            document = _document(loaded, path, judged)
            typer.echo(dumps(document, indent=None if several else 2))
        elif isinstance(judged, KernelwrightError):
            typer.echo(f"{path}: not judged: {judged.message}")
            if judged.hint:
                typer.echo(f"hint: {judged.hint}")
        else:
            _print(judged.evaluation, str(path) if several else loaded.id)
            for finding in judged.findings:
                where = f"the task's workload {finding.workload!r}"
                typer.echo(f"warning: {where}: {finding.rule}: {finding.evidence}")
    raise typer.Exit(code)


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


class Judged(NamedTuple):
    """A candidate with its verdict."""

    candidate: Candidate
    evaluation: Evaluation
    findings: list[AuditFinding]
    """Faults of the task that a quick audit finds."""


def _judged(
    task: Task, paths: Sequence[Path], level: Level, settings: Settings
) -> Iterator[tuple[Path, Judged | KernelwrightError]]:
    """Yield the verdict on the candidate of each file, or why it has none.

    Raises:
        KernelwrightError: none of the files can be judged, or the task is at fault.
    """
    from kernelwright.cli.machine import tell_of_unused_gpu, terminable
    from kernelwright.errors import InfrastructureError, KernelwrightError
    from kernelwright.executors.local import LocalExecutor
    from kernelwright.schema import Criteria, EvaluationJob
    from kernelwright.verifier.audit.audit import quick_audit

    criteria = Criteria(policy=settings.policy, uses=settings.uses)
    spec = settings.machine
    tell_of_unused_gpu(settings)
    with terminable(), LocalExecutor(settings.cache_dir) as executor:
        given = {path: _read(path, executor.machine(spec).kind) for path in paths}
        faults = [one for one in given.values() if isinstance(one, KernelwrightError)]
        if len(faults) == len(given):
            raise faults[0]
        reference = executor.reference(task, spec)
        findings = quick_audit(reference)
        typer.echo(f"memory: {reference.memory_words}", err=True)
        for path, candidate in given.items():
            if isinstance(candidate, KernelwrightError):
                yield path, candidate
                continue
            job = EvaluationJob(
                task=task, candidate=candidate, level=level, criteria=criteria, machine=spec
            )
            try:
                yield path, Judged(candidate, executor.evaluate(job), findings)
            except InfrastructureError as error:
                if len(given) == 1:
                    raise
                yield path, error


def _read(path: Path, kind: str) -> Candidate | KernelwrightError:
    """Return a file's candidate for a kind of device, or why it can't be judged."""
    from kernelwright.backends.registry import require_backends
    from kernelwright.errors import PrerequisiteError, UsageError

    try:
        candidate = read_candidate(path)
        require_backends((candidate.backend,), kind, timed=False)
    except (UsageError, PrerequisiteError) as error:
        return error
    return candidate


def _exit_code(judged: Judged | KernelwrightError) -> int:
    if isinstance(judged, Judged):
        return 0 if judged.evaluation.accepted else 1
    return judged.exit_code


def _document(task: Task, path: Path, judged: Judged | KernelwrightError) -> dict[str, Any]:
    from kernelwright.report.verdict import verdict_document

    if not isinstance(judged, Judged):
        return {
            "task": {"id": task.id, "hash": task.hash},
            "candidate": {"file": str(path)},
            "error": judged.message,
        }
    document = verdict_document(task, judged.candidate, judged.evaluation)
    document["candidate"]["file"] = str(path)
    document["task_findings"] = [finding._asdict() for finding in judged.findings]
    return document


def _print(evaluation: Evaluation, name: str) -> None:
    from kernelwright.report.authorship import authorship
    from kernelwright.report.uses import uses_lines
    from kernelwright.report.verdict import evaluation_words, evidence_words, explanation

    answer = "accepted" if evaluation.accepted else "refused"
    typer.echo(f"{name}: {answer}: {evaluation.reason}")
    for line in evaluation.wrong.words if evaluation.wrong else ():
        typer.echo(line)
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
