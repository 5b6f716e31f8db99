"""The sizes of arguments that an export covers, as a condition in Python.

With other sizes the operators may still run, and give what the module does not: torch.export has
followed one branch, and computed with the sizes that it could not keep free.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import sympy
import torch
from torch.export import ExportedProgram
from torch.utils._sympy.printers import PythonPrinter


def condition(program: ExportedProgram, arguments: Mapping[str, Any]) -> str:
    """Return the condition on the sizes of the arguments, an expression.

    Args:
        arguments: the example values of the exported tensors, by the names that they have in the
            condition.
    """
    known = _free(arguments)
    parts = [part for name, value in arguments.items() for part in _shape(name, value, known)]
    for symbol, text in known.items():
        parts += _range(text, program.range_constraints.get(symbol))
    environments = [
        size.node.shape_env
        for value in arguments.values()
        for size in value.shape
        if isinstance(size, torch.SymInt)
    ]
    for guard in environments[0].guards if environments else ():
        expression = guard.expr.xreplace(environments[0].replacements)
        symbols = expression.free_symbols
        if symbols and symbols <= known.keys():
            parts.append(_text(expression, known))
    return " and ".join(dict.fromkeys(parts))


def _free(arguments: Mapping[str, Any]) -> dict[sympy.Symbol, str]:
    """Return the place where each free size is met first."""
    known: dict[sympy.Symbol, str] = {}
    for name, value in arguments.items():
        for dim, size in enumerate(value.shape):
            if isinstance(size, torch.SymInt) and isinstance(size.node.expr, sympy.Symbol):
                known.setdefault(size.node.expr, f"{name}.shape[{dim}]")
    return known


def _shape(name: str, value: Any, known: Mapping[sympy.Symbol, str]) -> Iterator[str]:
    """Yield the conditions of one argument."""
    if not any(isinstance(size, torch.SymInt) for size in value.shape):
        yield f"{name}.shape == {tuple(value.shape)}"
        return
    yield f"{name}.dim() == {value.dim()}"
    for dim, size in enumerate(value.shape):
        place, text = f"{name}.shape[{dim}]", str(size)
        if isinstance(size, torch.SymInt):
            is_known = size.node.expr.free_symbols <= known.keys()
            # A multiple of a size that no argument has is held to the example's.
            text = _text(size.node.expr, known) if is_known else str(size.node.hint)
        if text != place:
            yield f"{place} == {text}"


def _range(text: str, allowed: Any) -> Iterator[str]:
    if allowed is None:
        return
    lower, upper = (_number(bound) for bound in (allowed.lower, allowed.upper))
    if 0 < lower < math.inf:
        yield f"{text} >= {lower:.0f}"
    if upper < 2**60:
        yield f"{text} <= {upper:.0f}"


def _number(bound: Any) -> float:
    return float(bound) if bound.is_finite else math.inf if bound > 0 else -math.inf


def _text(expression: sympy.Expr, known: Mapping[sympy.Symbol, str]) -> str:
    text = PythonPrinter().doprint(expression)
    names = {str(symbol): place for symbol, place in known.items()}
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda found: names.get(found[0], found[0]), text)
