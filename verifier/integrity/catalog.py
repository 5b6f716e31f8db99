"""All integrity rules by name, and the flags made from them."""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.measured_rules import (
    advice_rules,
    physical_rules,
    runtime_rules,
    statistical_rules,
    uses_rules,
    values_rules,
)
from kernelwright.verifier.integrity.rule import STATIC, Rule, RuleId

# Imported for the rules that they declare, in the order of the reference page.
from kernelwright.verifier.integrity.static import (  # noqa: F401
    access,
    caching,
    compute,
    named,
    tampering,
)

ALL = (
    *STATIC,
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


def flag(rule_id: RuleId, evidence: str) -> Flag:
    """Return a finding of a rule."""
    return Flag(rule=rule_id, severity=RULES[rule_id].severity, evidence=evidence)
