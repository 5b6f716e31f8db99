"""One of our modules as a program that stands alone: the modules that it imports become part of it.

So a rule has one text, whether it is imported here or runs where this package is not installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from kernelwright import syntax

OURS = "kernelwright."
MAIN = "if __name__ == "
TYPING = "if TYPE_CHECKING:"


def standalone(module: str) -> str:
    """Return the text of a module, with all of ours that it needs before its last statement.

    The last statement is `if __name__ == "__main__":`. Parts are needed when functions are called,
    not sooner, and import others of ours for types alone.

    Raises:
        ValueError: two of them define the same name in other ways, or one is imported in another
            way than by `from ... import ...`.
    """
    text = _source(module)
    parts = dict.fromkeys(_needed(module))
    before, found, after = _without_ours(text, syntax.parse(text)).partition(f"\n{MAIN}")
    whole = "\n\n\n".join([before.rstrip(), *map(_part, parts)]) + "\n\n" + found + after
    _refuse_clashes(whole)
    return whole


def _needed(module: str) -> Iterator[str]:
    """Yield the modules of ours that a module imports, each behind those that it needs itself."""
    for node in syntax.parse(_source(module)).body:
        for name in _imported(node):
            yield from _needed(name)
            yield name


def _source(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"no module {module!r}")
    return Path(spec.origin).read_text(encoding="utf-8")


def _part(module: str) -> str:
    text = _source(module)
    tree = syntax.parse(text)
    title = f"# -- {module.rpartition('.')[2]} ".ljust(100, "-")
    return f"{title}\n\n{_without_ours(text, tree, keep_future=False).strip()}"


def _without_ours(text: str, tree: ast.Module, keep_future: bool = True) -> str:
    """Return the text without imports of ours; for a part without those of __future__, too."""
    lines: list[str | None] = list(text.splitlines(keepends=True))
    for node in tree.body:
        is_type = ast.unparse(node).startswith(TYPING)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if list(_imported(node)) or is_type or (is_future and not keep_future):
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [None] * (node.end_lineno - node.lineno + 1)
    return "".join(line for line in lines if line is not None)


def _imported(node: ast.stmt) -> Iterator[str]:
    """Yield the module of ours that a statement imports from."""
    if isinstance(node, ast.Import) and any(a.name.startswith(OURS) for a in node.names):
        raise ValueError(f"cannot be made a part: {ast.unparse(node)}")
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
        if any(alias.asname for alias in node.names):
            raise ValueError(f"cannot be made a part: {ast.unparse(node)}")
        yield str(node.module)


def _refuse_clashes(text: str) -> None:
    seen: dict[str, str] = {}
    for node in syntax.parse(text).body:
        for name in _defined(node):
            definition = ast.unparse(node)
            if seen.setdefault(name, definition) != definition:
                raise ValueError(f"{name!r} is defined by two modules that become one")


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        names = [n for target in node.targets for n in ast.walk(target)]
        yield from (n.id for n in names if isinstance(n, ast.Name))
