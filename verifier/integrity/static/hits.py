"""Findings of the static rules, and what several of the rules ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from kernelwright.verifier.integrity.static.cpp import is_cpp, is_docstring
from kernelwright.verifier.integrity.static.patterns import CPP_TEXT
from kernelwright.verifier.integrity.static.source import Source


class Hit(NamedTuple):
    """A place where a rule found something, and what: in our words, never the candidate's."""

    line: int
    what: str


def hit_at(node: ast.AST, what: str) -> Hit:
    """Return a hit at a node."""
    return Hit(getattr(node, "lineno", 0), what)


def below(path: str, names: tuple[str, ...]) -> bool:
    """Whether a dotted path is one of the names or a part of one."""
    return any(path == name or path.startswith(f"{name}.") for name in names)


def below_any(paths: frozenset[str], names: tuple[str, ...]) -> bool:
    """Whether any of several paths is one of the names or a part of one."""
    return any(below(path, names) for path in paths)


def telling_strings(source: Source, rule: str) -> Iterator[Hit]:
    """Find short strings in Python that name something no kernel needs."""
    for node in source.nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        found = CPP_TEXT[rule].search(node.value)
        if found and not is_docstring(source, node) and not is_cpp(node.value):
            yield hit_at(node, f"names {found.group()}")
