"""Syntax trees of Python text, made by one thread at a time.

Two threads in `ast.parse` at once may end in "SystemError: AST constructor recursion depth
mismatch" (seen with CPython 3.11.7): all of an interpreter's threads share its count of the depth.
"""

from __future__ import annotations

import ast
import threading

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""The errors of `parse` for a text that is no Python, or too deep for it."""
_ALONE = threading.RLock()


def parse(source: str) -> ast.Module:
    """Return the tree of a Python text.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse`; see UNREADABLE.
    """
    with _ALONE:
        return ast.parse(source)
