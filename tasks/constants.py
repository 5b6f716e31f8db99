"""Module-level constants of a Python source: reading them, and replacing them in the text.

The same mechanism serves `--set NAME=VALUE` on a reference (its sizes, before the constants derived
from them are computed). The source is parsed, never executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.schema import Scalar


class Constant(NamedTuple):
    """One `NAME = expression` at module level."""

    name: str
    value: ast.expr

    @property
    def literal(self) -> Scalar | None:
        """The value where it is a plain number, bool or string; None for derived ones."""
        try:
            value = ast.literal_eval(self.value)
        except ValueError:
            return None
        return value if isinstance(value, (bool, int, float, str)) else None


def constants(tree: ast.Module) -> Iterator[Constant]:
    """All constants, in order; `M, N = 2, 3` gives two."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from _bound(target, statement.value)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield from _bound(statement.target, statement.value)


def _bound(target: ast.expr, value: ast.expr) -> Iterator[Constant]:
    if isinstance(target, ast.Name):
        yield Constant(target.id, value)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        if len(target.elts) == len(value.elts):
            for part, item in zip(target.elts, value.elts, strict=True):
                yield from _bound(part, item)


def replace_constants(source: str, values: Mapping[str, Scalar]) -> str:
    """The source with the named constants' expressions replaced.

    Raises:
        UsageError: a name is not assigned at module level.
    """
    if not values:
        return source
    found = list(constants(ast.parse(source)))
    names = {constant.name for constant in found}
    for name in values:
        if name not in names:
            raise UsageError(
                f"the task has no module-level constant {name!r}",
                hint=did_you_mean(name, sorted(names)) if names else "it has none at all",
            )
    lines = source.encode().splitlines(keepends=True)
    for constant in reversed(found):
        if constant.name in values:
            _splice(lines, constant.value, repr(values[constant.name]).encode())
    return b"".join(lines).decode()


def _splice(lines: list[bytes], node: ast.expr, text: bytes) -> None:
    # ast counts columns in UTF-8 bytes; lines are replaced from the last to the first.
    assert node.end_lineno is not None and node.end_col_offset is not None
    first, last = node.lineno - 1, node.end_lineno - 1
    line = lines[first][: node.col_offset] + text + lines[last][node.end_col_offset :]
    lines[first : last + 1] = [line]


def parse_setting(text: str) -> tuple[str, Scalar]:
    """`NAME=VALUE` as typed on the command line; VALUE is a Python literal, else a string."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(f"cannot read --set {text!r}", hint="write --set NAME=VALUE")
    try:
        literal = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        literal = value.strip()
    if not isinstance(literal, (bool, int, float, str)):
        raise UsageError(f"--set {text!r} is not a number, bool or string")
    return name.strip(), literal
