"""Guarded files as they are read: the frozen guard, the fast path, and the candidate's own part."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from kernelwright import syntax
from kernelwright.delivery.edits import Edit, edited, span

GUARD = Path(__file__).parent / "sources" / "guard.py"
FAST = "FastModel"
"""Class of the fast path."""
MODEL = '''class ModelNew(Guarded, Model):
    """The reference's module, faster inside the scope of the proof.

{words}
    """

    scope = SCOPE
    implementation = IMPLEMENTATION
'''
MODEL_PATTERN = (
    r'class ModelNew\(Guarded, Model\):\n    """[^"]*"""\n'
    r"    scope = SCOPE\n    implementation = IMPLEMENTATION"
)


@functools.cache
def guard() -> str:
    """Return the guard's text."""
    return GUARD.read_text()


def is_guarded(source: str) -> bool:
    """Return whether a file holds the frozen guard."""
    return guard() in source


def fast_path(source: str) -> list[ast.stmt] | None:
    """Return the statements of a guarded file's fast path; None for any other file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: see `syntax.parse`.
    """
    before, found, _ = source.partition(guard())
    if not found:
        return None
    line = before.count("\n") + 1
    blocks = [node for node in syntax.parse(source).body if isinstance(node, ast.Try)]
    ours = [block.body for block in blocks if [one.lineno for one in block.handlers] == [line]]
    return ours[0] if ours else None


def own_part(source: str, reference: str) -> str:
    """Return a guarded file's text without the guard and all that the reference has as well.

    Line numbers stay. A file without the frozen guard is returned as it is: there a copy of the
    reference is the candidate's own doing. So is one that can't be read.
    """
    before, found, after = source.partition(guard())
    if not found:
        return source
    blank = "finally:\n    pass\n"
    kept = before + blank + "\n" * (found.count("\n") - blank.count("\n")) + after
    kept = kept.replace(f"class {FAST}(Model):", f"class {FAST}(torch.nn.Module):")  # by us
    try:
        known = {ast.dump(statement) for statement in syntax.parse(reference).body}
        body = [one for one in syntax.parse(kept).body if not _is_import(one)]
        return _blanked(kept, [one for one in body if ast.dump(one) in known or _is_model(one)])
    except syntax.UNREADABLE:
        return source


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _is_model(statement: ast.stmt) -> bool:
    """Whether a statement is the guarded class, which has nothing of the candidate's."""
    return bool(re.fullmatch(MODEL_PATTERN, ast.unparse(statement), re.DOTALL))


def _blanked(source: str, statements: Iterable[ast.stmt]) -> str:
    edits = []
    for statement in statements:
        (first, left), (last, right) = span(statement)
        edits.append(Edit((first, left), (last, right), "\n" * (last - first)))
    return edited(source, edits)
