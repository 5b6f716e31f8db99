"""Names that a reference's file and the kernels' text both give to something of their own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from kernelwright import syntax

PREFIX = "kernel_"


def clashes(ours: str, theirs: str) -> list[str]:
    """Return the module-level names that two texts bind to different things."""
    own, others = _bound(ours), _bound(theirs)
    both = own.keys() & others.keys()
    return sorted(name for name in both if own[name] is None or own[name] != others[name])


def renamed(text: str, names: Iterable[str]) -> str:
    """Return Python text in which some names have a prefix; imports of them get an alias."""
    for name in names:
        text = re.sub(rf"(?<![\w.]){name}\b", PREFIX + name, text)
        text = text.replace(f"import {PREFIX}{name}", f"import {name} as {PREFIX}{name}")
    return text


def _bound(text: str) -> dict[str, str | None]:
    """Return what each module-level name means: the dotted name of an import, else None."""
    found: dict[str, str | None] = {}
    for node in syntax.parse(text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None)
            for alias in node.names:
                found[alias.asname or alias.name] = f"{module or ''}.{alias.name}"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = None
        else:
            names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            found |= {name.id: None for name in names if isinstance(name.ctx, ast.Store)}
    return found
