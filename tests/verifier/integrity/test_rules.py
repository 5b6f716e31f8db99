"""The table of rules, and docs/reference/integrity.md: `UPDATE_GOLDEN=1 pytest` writes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kernelwright.verifier.integrity.rules import RULES, Rule, flag, reference_page
from kernelwright.verifier.integrity.table import ALL

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "integrity.md"


def test_the_reference_page_is_current() -> None:
    text = reference_page()
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "run UPDATE_GOLDEN=1 pytest tests/verifier/integrity"


def test_the_page_has_a_row_for_every_rule() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `\w+` \| .+ \| .+ \|[ H\d]*\|$", reference_page(), re.M)
    assert rows == [rule.id for rule in ALL]


def test_names_are_unique_and_written_alike() -> None:
    assert len(RULES) == len(ALL)
    assert [name for name in RULES if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []


@pytest.mark.parametrize("rule", ALL, ids=list(RULES))
def test_a_rule_explains_itself(rule: Rule) -> None:
    assert rule.reason.endswith(".") and "|" not in rule.reason + rule.title
    assert all(re.fullmatch(r"H[0-8]\d", number) for number in rule.catches)


def test_only_what_was_measured_refuses() -> None:
    refusing = {rule.kind for rule in ALL if rule.severity == "refuse"}
    assert refusing == {"runtime", "values", "physical"}


def test_a_flag_has_its_rules_severity() -> None:
    made = flag("faster-than-memory", "1 us, at least 9 us")
    assert (made.rule, made.severity) == ("faster-than-memory", "refuse")
    with pytest.raises(KeyError):
        flag("no-such-rule", "")
