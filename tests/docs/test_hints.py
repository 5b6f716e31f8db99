"""Messages of an installed program name no page of this repository, since it has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src/kernelwright", "agents", "prompts", "rl", "sandbox", "tasks", "verifier")
PAGE = re.compile(r"\bdocs/|\w\.md\b|\bREADME\b|\bCONTRIBUTING\b")


def said(path: Path) -> Iterator[str]:
    """Yield the texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in notes:
                yield node.value


def test_no_message_names_a_page_that_is_not_installed() -> None:
    files = [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "sources" not in path.parts  # pieces of files to be
    ]
    assert len(files) > 200
    found = {(p.name, text) for p in files for text in said(p) if PAGE.search(text)}
    assert found == set()
