"""The task audit: whether a verdict on a task would mean anything, asked before money is spent.

A task is unsound when a shortcut that does none of its work would be accepted: zeros, a constant,
an input, or what belongs to other inputs. The reference runs in its own workers, a few calls for
every workload; the shortcuts are made on this side and compared by the judge's own rule. A finding
is `invalid` where a verdict would mean nothing, else a `warning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import ToleranceName, Workload
from kernelwright.verifier.audit.catalog import QUICK_RULES, RULES, AuditRule
from kernelwright.verifier.audit.findings import AuditSeverity, shapes
from kernelwright.verifier.audit.shortcuts import ShortcutProbe
from kernelwright.verifier.reference.calls import invalid
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.faults import WorkerFault

# Most bytes of results that are compared with some shortcuts within some tenths of a second.
QUICK_BYTES = 2**22


class AuditFinding(NamedTuple):
    """Something that is wrong with a task."""

    rule: str
    severity: AuditSeverity
    workload: str
    """The workload's name; empty where the task has none for this machine."""
    evidence: str


def audit(reference: Reference, tolerance: ToleranceName) -> list[AuditFinding]:
    """Return what is wrong with a task, on every workload that runs on this machine.

    Args:
        tolerance: the tolerance that candidates will be judged by.

    Raises:
        InfrastructureError: the reference could not be run.
    """
    found: list[AuditFinding] = []
    try:
        workloads = reference.workloads()
    except InvalidReferenceError as error:
        return [_unusable("", error)]
    for workload in workloads:
        try:
            found += _audit_workload(reference, workload, tolerance)
        except InvalidReferenceError as error:
            reference.close()  # its workers may have died of it
            found.append(_unusable(workload.name, error))
    return found


def require_sound(reference: Reference) -> list[AuditFinding]:
    """Return the warnings on a task, by its own tolerance.

    Raises:
        InvalidReferenceError: a verdict on it would mean nothing.
        InfrastructureError: the reference could not be run.
    """
    task, found = reference.task, []
    for workload in reference.workloads():
        found += _audit_workload(reference, workload, task.tolerance)
    for finding in found:
        if finding.severity == "invalid":
            where = f"workload {finding.workload!r} of {task.id!r}"
            message = f"{where} is unsound ({finding.rule}): {finding.evidence}"
            raise InvalidReferenceError(message, hint="see `kernelwright tasks audit`")
    return found


def quick_audit(reference: Reference) -> list[AuditFinding]:
    """Return what the rules find that need only a few calls, on the workload of the least results.

    Nothing where these are large, because comparing them takes seconds.

    Raises:
        InvalidReferenceError: the reference fails on inputs of its own.
        InfrastructureError: the reference could not be run.
    """
    prepared = [reference.prepare(workload).prepared for workload in reference.workloads()]
    least = min(prepared, key=lambda item: item.result_bytes)
    if least.result_bytes > QUICK_BYTES:
        return []
    return _audit_workload(reference, least.workload, reference.task.tolerance, QUICK_RULES)


def _audit_workload(
    reference: Reference,
    workload: Workload,
    tolerance: ToleranceName,
    rules: Sequence[AuditRule] = RULES,
) -> list[AuditFinding]:
    probe = ShortcutProbe(reference, reference.prepare(workload), tolerance)
    found: list[AuditFinding] = []
    try:
        for rule in rules:
            pairs = rule.find(probe) if rule.find else ()
            found += [
                AuditFinding(rule.id, severity, workload.name, text) for severity, text in pairs
            ]
            if rule.find is shapes and any(f.severity == "invalid" for f in found):
                break  # there is nothing that the others could compare
    except WorkerFault as fault:
        raise invalid(workload, fault) from fault
    return found


def _unusable(workload: str, error: InvalidReferenceError) -> AuditFinding:
    rule = "not-repeatable" if "not repeatable" in error.message else "unusable"
    return AuditFinding(rule, "invalid", workload, error.message)
