"""The generated pages in docs/ are those that docs/generate.py makes now."""

from __future__ import annotations

import re

import pytest

from docs.generate import PAGES, REFERENCE, ROOT, audit_table, integrity_page
from kernelwright.verifier.integrity.catalog import ALL


@pytest.mark.parametrize("name", PAGES)
def test_reference_pages_are_current(name: str) -> None:
    assert (REFERENCE / f"{name}.md").read_text() == PAGES[name](), "run python docs/generate.py"


def test_the_integrity_page_has_a_row_for_every_rule() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `\w+` \| .+ \| .+ \|[ H\d]*\|$", integrity_page(), re.M)
    assert rows == [rule.id for rule in ALL]


def test_the_guide_on_tasks_has_the_audits_rules() -> None:
    assert audit_table() in (ROOT / "docs" / "guides" / "tasks.md").read_text()
