"""Tests that rules are well-formed, and that every flag names its rule."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from kernelwright.verifier.integrity.catalog import ALL, RULES, flag
from kernelwright.verifier.integrity.rule import Rule, RuleId


def test_names_are_unique_and_written_alike() -> None:
    assert len(RULES) == len(ALL)
    assert [name for name in RULES if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []


@pytest.mark.parametrize("rule", ALL, ids=list(RULES))
def test_a_rule_explains_itself(rule: Rule) -> None:
    assert rule.reason.endswith(".") and "|" not in rule.reason + rule.title
    assert all(re.fullmatch(r"H[0-8]\d", number) for number in rule.catches)


def test_only_what_was_measured_refuses() -> None:
    refusing = {rule.kind for rule in ALL if rule.severity == "refuse"}
    assert refusing == {"runtime", "values", "physical", "uses"}


def test_a_flag_has_its_rules_severity() -> None:
    made = flag("faster-than-memory", "1 us, at least 9 us")
    assert (made.rule, made.severity) == ("faster-than-memory", "refuse")


def test_the_names_that_types_know_are_the_rules() -> None:
    assert set(get_args(RuleId)) == set(RULES)
