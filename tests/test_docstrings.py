"""Docstrings begin with a verb or a noun, and name their subject."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "sandbox", "tasks", "verifier", "rl", "prompts", "src", "benchmarks", "docs")
DATA = (
    "tasks/library/",
    "src/kernelwright/delivery/sources/",
    "src/kernelwright/kernels/sources/",
)
BEGINNING = re.compile(r"(What|Whose|Of|Which|Those|Who)\b")
OF_NO_SUBJECT = re.compile(r"\b(who|whom|whoever|nobody|somebody|anybody)\b", re.IGNORECASE)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the place and text of every docstring, those of fields too."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith(DATA):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                        yield f"{place}:{node.lineno}", str(node.value.value)


def test_a_docstring_begins_with_a_verb_or_a_noun() -> None:
    found = list(docstrings())
    assert len(found) > 1000
    assert [place for place, text in found if BEGINNING.match(text)] == []


def test_a_docstring_names_its_subject() -> None:
    # The text of the worker stays as it is.
    ours = [(place, text) for place, text in docstrings() if "inside/worker.py" not in place]
    assert [place for place, text in ours if OF_NO_SUBJECT.search(text)] == []
