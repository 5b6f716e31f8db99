"""All integrity rules by name, and the flags made from them."""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.measured_rules import (
    physical_rules,
    runtime_rules,
    statistical_rules,
    uses_rules,
    values_rules,
)
from kernelwright.verifier.integrity.rule import Rule
from kernelwright.verifier.integrity.static_rules import advice_rules, static_rules

ALL = (
    *static_rules(),
    *advice_rules(),
    *runtime_rules(),
    *values_rules(),
    *uses_rules(),
    *physical_rules(),
    *statistical_rules(),
)
"""Every rule, in the order of the reference page."""
RULES: Mapping[str, Rule] = {rule.id: rule for rule in ALL}
"""All rules by their names."""


def flag(rule_id: str, evidence: str) -> Flag:
    """Return a finding of a rule.

    Raises:
        KeyError: there is no such rule.
    """
    return Flag(rule=rule_id, severity=RULES[rule_id].severity, evidence=evidence)
