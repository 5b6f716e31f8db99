"""The form of an integrity rule, and the declaration of those that read text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from kernelwright.verifier.integrity.static.hits import Hit
    from kernelwright.verifier.integrity.static.source import Source

Kind = Literal["static", "advice", "runtime", "physical", "statistical", "values", "uses"]
Severity = Literal["info", "suspicious", "refuse"]
Hint = Literal["info", "suspicious"]
"""Severity of what a text shows, which never refuses."""
RuleId = Literal[
    "monkeypatch", "dynamic-code", "frame-walk", "process-or-thread", "file-or-network",
    "memo-by-address", "phase-sniffing", "lazy-tensor", "silent-fallback", "reference-class",
    "library-call", "torch-compile", "precision-cast", "thread-count", "exit-call",
    "guard-evasion", "random-state", "kernelguard", "no-custom-code", "engagement-unknown",
    "torch-does-the-work", "host-offload", "left-its-group", "more-cores", "threads-left",
    "processes-left", "settings-changed", "files-outside", "precision-downgrade",
    "half-operators", "not-repeatable", "state-not-compared", "strides-differ", "inputs-changed",
    "output-aliases-input", "overlapping-output", "result-overwritten", "guard-overwritten",
    "address-sanitizer", "gpu-memory-error", "undefined-behaviour", "sanitizer-unavailable",
    "sanitizer-incomplete", "wrong-outside-scope", "crashes-outside-scope", "renamed-parameters",
    "fell-back", "faster-than-memory", "faster-than-arithmetic", "batched-calls", "busy-machine",
    "not-validated", "noisy-machine", "clocks-disagree", "not-linear", "not-reproduced",
]  # fmt: skip
"""Names of the rules; a test compares them with the rules that there are."""
Check = Callable[["Source"], Iterable["Hit"]]


class Rule(NamedTuple):
    """One integrity rule."""

    id: RuleId
    kind: Kind
    severity: Severity
    title: str
    reason: str
    """Reason for the rule: what it sees, and what that may mean."""
    catches: tuple[str, ...] = ()
    """Known cheats by their numbers in the catalogue."""
    check: Check | None = None
    """Finds it in a candidate's text; None where it is measured, or names and patterns find it."""


STATIC: list[Rule] = []
"""The rules on a candidate's text, as they were declared."""


def static_rule(
    identity: RuleId, severity: Hint, title: str, reason: str, *, catches: str
) -> Callable[[Check], Check]:
    """Return a decorator that makes a check of a candidate's text a rule.

    Args:
        catches: known cheats by their numbers, in one text.
    """

    def declare(check: Check) -> Check:
        caught = tuple(catches.split())
        STATIC.append(Rule(identity, "static", severity, title, reason, caught, check))
        return check

    return declare


def named_rule(identity: RuleId, severity: Hint, title: str, reason: str, *, catches: str) -> None:
    """Declare a rule that names and patterns find."""
    caught = tuple(catches.split())
    STATIC.append(Rule(identity, "static", severity, title, reason, caught))


def rule_row(
    kind: Kind, identity: RuleId, severity: Severity, title: str, reason: str, of: str
) -> Rule:
    """Return a rule from its reason and its catalogue numbers, written as one text each."""
    return Rule(identity, kind, severity, title, " ".join(reason.split()), tuple(of.split()))
