"""Duplicates: candidates that have a verdict already, under another text.

Texts are compared first, without what changes nothing: layout, comments, docstrings, also in C++
and CUDA. Builds are compared next: the same Python around the same machine code.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Callable, Sequence

from kernelwright import syntax
from kernelwright.kernels.runtime import RUNTIMES
from kernelwright.schema import Attempt, Candidate, digest
from kernelwright.tasks.kinds.module import MODULE

# A string with one of these is C++ or CUDA.
NATIVE = ("#include", "__global__", 'extern "C"')
HELPERS = frozenset(runtime.helpers for runtime in RUNTIMES.values() if runtime.helpers)
# Text in quotes, which is kept, or a comment, or blanks within a line.
PART = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/|[^\S\n]+""", re.S
)
RAW_STRING = re.compile(r'R"[^()\\\s]{0,16}\(')
KNOWN_FORMS = 10_000


def statements(source: str) -> list[str]:
    """Return top-level statements in normal form; `ModelNew` and `Model` count as one name.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python; see `syntax`.
    """
    return _statements(source, _normal_native)


def parsed(source: str) -> ast.Module:
    """Return the syntax tree. Raises what `statements` does."""
    with warnings.catch_warnings():  # C++ in a plain string is full of odd escapes
        warnings.simplefilter("ignore")
        return syntax.parse(source)


def same_text(candidate: Candidate, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return a judged attempt with the same file, up to its normal form."""
    own = normal_form(candidate.source)
    return _judged(candidate, attempts, lambda known: normal_form(known.source) == own)


def same_code(
    candidate: Candidate, object_code: str | None, attempts: Sequence[Attempt]
) -> Attempt | None:
    """Return a judged attempt with the same Python, and C++ that compiles to the same code.

    Files with exactly one C++ source of their own are compared: there it is what was built.

    Args:
        object_code: digest of what the candidate's build made; None where there is none.
    """
    if object_code is None or candidate.backend != "cpp" or not _has_one_source(candidate.source):
        return None
    own = normal_form(candidate.source, with_native=False)
    alike = [a for a in attempts if a.evaluation and a.evaluation.object_code == object_code]
    return _judged(candidate, alike, lambda known: normal_form(known.source, False) == own)


def _judged(
    candidate: Candidate, attempts: Sequence[Attempt], is_same: Callable[[Candidate], bool]
) -> Attempt | None:
    for attempt in attempts:
        known = attempt.candidate
        if attempt.evaluation is None or known is None or known.backend != candidate.backend:
            continue
        if known.entry_point == candidate.entry_point and is_same(known):
            return attempt
    return None


@functools.lru_cache(KNOWN_FORMS)
def normal_form(source: str, with_native: bool = True) -> str:
    """Return a digest of the normal form, with or without native code.

    Text that is no Python is digested as it is.
    """
    try:
        return digest(_statements(source, _normal_native if with_native else _without))
    except syntax.UNREADABLE:
        return digest(source)


def _statements(source: str, native: Callable[[str], str]) -> list[str]:
    body = _Bare(native).visit(parsed(source)).body
    return [re.sub(rf"\b{MODULE.candidate}\b", MODULE.reference, ast.dump(node)) for node in body]


class _Bare(ast.NodeTransformer):
    """A transformer that drops docstrings and other constant statements, and maps native code."""

    def __init__(self, native: Callable[[str], str]) -> None:
        self._native = native

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return node  # a comment may begin in one of its pieces and end in another

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str) and _is_native(node.value):
            return ast.Constant(self._native(node.value))
        return node


def _normal_native(text: str) -> str:
    """Return C++ or CUDA by lines, as the preprocessor reads it, without comments and layout."""
    if RAW_STRING.search(text):
        return text
    joined = text.replace("\\\n", "")
    bare = PART.sub(lambda found: found[1] or " ", joined)
    lines = (line.strip() for line in bare.split("\n"))
    return "\n".join(line for line in lines if line)


def _has_one_source(source: str) -> bool:
    constants = [n.value for n in ast.walk(parsed(source)) if isinstance(n, ast.Constant)]
    strings = [text for text in constants if isinstance(text, str) and text not in HELPERS]
    return sum(map(_is_native, strings)) == 1


def _is_native(text: str) -> bool:
    return any(sign in text for sign in NATIVE)


def _without(_text: str) -> str:
    return ""
