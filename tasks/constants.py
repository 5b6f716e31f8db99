"""Module-level constants of a Python source: reading them, and replacing them in the text.

The same mechanism serves `--set NAME=VALUE` on a reference (its sizes, before the constants derived
from them are computed). The source is parsed, never executed.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kernelwright import syntax
from kernelwright.errors import UsageError, did_you_mean
from kernelwright.schema import Scalar, Size

LITERAL_ERRORS = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


class Constant(NamedTuple):
    """One `NAME = expression` at module level."""

    name: str
    value: ast.expr
    shared_by: ast.Assign | None = None
    """The statement, where it gives several names one value: `A = B = 1`."""

    @property
    def literal(self) -> Scalar | None:
        """The value where it is a plain number, bool or string; None for derived ones."""
        try:
            value = ast.literal_eval(self.value)
        except LITERAL_ERRORS:
            return None
        return value if isinstance(value, (bool, int, float, str)) else None


def constants(tree: ast.Module) -> Iterator[Constant]:
    """Yield all constants, in order; `M, N = 2, 3` gives two."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            shared_by = statement if len(statement.targets) > 1 else None
            for target in statement.targets:
                for constant in _bound(target, statement.value):
                    yield constant._replace(shared_by=shared_by)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield from _bound(statement.target, statement.value)


def _bound(target: ast.expr, value: ast.expr) -> Iterator[Constant]:
    if isinstance(target, ast.Name):
        yield Constant(target.id, value)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        if len(target.elts) == len(value.elts):
            for part, item in zip(target.elts, value.elts, strict=True):
                yield from _bound(part, item)


def sizes(source: str) -> dict[str, int]:
    """Return the constants that may be sizes: whole numbers above 1."""
    found = {constant.name: constant.literal for constant in constants(syntax.parse(source))}
    return {name: value for name, value in found.items() if type(value) is int and value > 1}


def replace_constants(source: str, values: Mapping[str, Size]) -> str:
    """Return the source with the named constants' expressions replaced.

    Raises:
        UsageError: a name is not assigned at module level.
    """
    if not values:
        return source
    found = list(constants(syntax.parse(source)))
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
            _replace(lines, constant, _literal(values[constant.name]))
    return b"".join(lines).decode()


def _literal(value: Size) -> str:
    # repr of an infinity or NaN is a name, which the reference need not have.
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)


def _replace(lines: list[bytes], constant: Constant, text: str) -> None:
    # ast counts columns in UTF-8 bytes; lines are replaced from the last to the first.
    node: ast.expr | ast.stmt = constant.shared_by or constant.value
    assert node.end_lineno is not None and node.end_col_offset is not None
    end = node.end_lineno - 1, node.end_col_offset
    start = (node.lineno - 1, node.col_offset)
    if constant.shared_by is not None:
        start, text = end, f"; {constant.name} = {text}"
    line = lines[start[0]][: start[1]] + text.encode() + lines[end[0]][end[1] :]
    lines[start[0] : end[0] + 1] = [line]


def require_fitting(source: str, values: Mapping[str, Size]) -> None:
    """Raise UsageError where a constant that is a number is to become something else."""
    for constant in constants(syntax.parse(source)):
        if constant.name in values and _is_number(constant.literal):
            value = values[constant.name]
            if not isinstance(value, bool | int | float):
                raise UsageError(
                    f"{constant.name} = {value!r} can't take the place of the number "
                    f"{constant.literal}",
                    hint=f"write --set {constant.name}=NUMBER",
                )


def _is_number(value: Scalar | None) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_settings(texts: Iterable[str] | None) -> dict[str, Size]:
    """Return what `--set` was given, by name; see `parse_setting`."""
    return dict(map(parse_setting, texts or ()))


def parse_setting(text: str) -> tuple[str, Size]:
    """Parse `NAME=VALUE` as typed on the command line; VALUE is a Python literal, else a string.

    Raises:
        UsageError: there is no name, or the value is no number, bool, string, or tuple of these.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(f"cannot read --set {text!r}", hint="write --set NAME=VALUE")
    try:
        literal = ast.literal_eval(value.strip())
    except LITERAL_ERRORS:
        literal = value.strip()
    if isinstance(literal, (list, tuple)):
        literal = tuple(literal)
    parts = literal if isinstance(literal, tuple) else (literal,)
    if not all(isinstance(part, (bool, int, float, str)) for part in parts):
        raise UsageError(f"--set {text!r} is not a number, bool, string, or tuple of these")
    return name.strip(), literal
