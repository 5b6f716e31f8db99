"""C and C++ inside a candidate's string constants, without its comments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from kernelwright.verifier.integrity.static.source import Source

MARKS = re.compile(r'#\s*(include|pragma|define)\b|extern\s*"C"|__global__|\b(at|torch)::Tensor\b')
STATEMENTS = re.compile(r"\b(void|float|double|int\d*_t|int|auto|static|const|for|if)\b")
TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    |R"(?P<mark>[^\s()\\]{0,16})\(.*?(?:\)(?P=mark)"|\Z)
    |"(?:[^"\\\n]|\\.)*"
    |'(?:[^'\\\n]|\\.)+'""",
    re.DOTALL | re.VERBOSE,
)


class Embedded(NamedTuple):
    """One piece of C++."""

    line: int
    """The candidate's line at which it begins."""
    last_line: int
    text: str
    """The C++ without comments."""
    code: str
    """The same with string literals blanked."""

    def line_of(self, offset: int) -> int:
        """Return the candidate's line of a place in `text` or `code`."""
        return min(self.line + self.text.count("\n", 0, offset), self.last_line)


def embedded(source: Source) -> Iterator[Embedded]:
    """Yield every string of the candidate that looks like C++, docstrings left out."""
    taken: set[ast.AST] = set()
    for node in source.nodes:
        if node in taken or not isinstance(node, ast.expr):
            continue
        text = source.text(node, follow=False)
        if text is None:
            continue
        taken.update(ast.walk(node))
        if not is_docstring(source, node) and is_cpp(text):
            yield _embedded(node, text)


def is_docstring(source: Source, node: ast.AST) -> bool:
    """Whether a string is a statement of its own, which no code can read."""
    return isinstance(source.parent.get(node), ast.Expr)


def is_cpp(text: str) -> bool:
    """Whether a string is C++ or a part of it."""
    if MARKS.search(text):
        return True
    return ";" in text and ("{" in text or "\n" in text) and bool(STATEMENTS.search(text))


def _embedded(node: ast.expr, text: str) -> Embedded:
    clean = TOKENS.sub(_without_comment, text.replace("\\\n", ""))
    code = TOKENS.sub(_without_text, clean)
    return Embedded(node.lineno, node.end_lineno or node.lineno, clean, code)


def _without_comment(found: re.Match[str]) -> str:
    comment = found.group("comment")
    return found.group() if comment is None else " " + "\n" * comment.count("\n")


def _without_text(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())
