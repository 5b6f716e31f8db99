"""One integrity rule in words."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["static", "advice", "runtime", "physical", "statistical", "values", "uses"]
Severity = Literal["info", "suspicious", "refuse"]


class Rule(NamedTuple):
    """One integrity rule."""

    id: str
    kind: Kind
    severity: Severity
    title: str
    reason: str
    """Reason for the rule: what it sees, and what that may mean."""
    catches: tuple[str, ...] = ()
    """Known cheats by their numbers in the catalogue."""


def rule_row(
    kind: Kind, identity: str, severity: Severity, title: str, reason: str, of: str
) -> Rule:
    """Return a rule from its reason and its catalogue numbers, written as one text each."""
    return Rule(identity, kind, severity, title, " ".join(reason.split()), tuple(of.split()))
