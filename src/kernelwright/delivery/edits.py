"""Changes to Python text that leave the rest of it as it is."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kernelwright import syntax

Position = tuple[int, int]
"""Line from 1, and byte within it."""


class Edit(NamedTuple):
    """A new text for a place in a file."""

    start: Position
    end: Position
    text: str


def span(node: ast.stmt | ast.expr) -> tuple[Position, Position]:
    """Return where a statement or expression starts, decorators included, and ends."""
    decorators = getattr(node, "decorator_list", [])
    line = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (line, node.col_offset), (node.end_lineno, node.end_col_offset)


def edited(source: str, edits: Iterable[Edit]) -> str:
    """Return the text with all edits made; they must not overlap."""
    lines = source.encode().splitlines(keepends=True)
    for (first, left), (last, right), text in sorted(edits, reverse=True):
        head, tail = lines[first - 1][:left], lines[last - 1][right:]
        lines[first - 1 : last] = [head + text.encode() + tail]
    return b"".join(lines).decode()


def without(source: str, statements: Iterable[ast.stmt]) -> str:
    """Return the text without some of its statements."""
    return edited(source, [Edit(*span(statement), "") for statement in statements])


def indented(source: str) -> str:
    """Return the text one level deeper; lines within multi-line strings stay as they are."""
    inside: set[int] = set()
    opened = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "STRING":
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif name in ("FSTRING_START", "TSTRING_START"):
            opened = opened or token.start[0]
        elif name in ("FSTRING_END", "TSTRING_END"):
            inside.update(range(opened + 1, token.end[0] + 1))
            opened = 0
    lines = source.splitlines(keepends=True)
    return "".join(
        f"    {line}" if line.strip() and number not in inside else line
        for number, line in enumerate(lines, 1)
    )


def defined(statements: Iterable[ast.stmt]) -> set[str]:
    """Return the names that some statements bind in their own scope."""
    return {name for statement in statements for name in _stored(statement)}


def renamed(source: str, names: Mapping[str, str]) -> str:
    """Return the text with some of its module-level names replaced."""
    finder = _Finder(source, names)
    finder.visit(syntax.parse(source))
    return edited(source, finder.edits)


class _Finder(ast.NodeVisitor):
    """A finder of the places where module-level names stand."""

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.lines = source.encode().splitlines(keepends=True)
        self.edits: list[Edit] = []

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.names:
            self.edits.append(Edit(*span(node), self.names[node.id]))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._rename_definition(node, "class")
        for outer in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outer)
        self._within(defined(node.body), [s for s in node.body if not isinstance(s, _SCOPES)])
        for statement in node.body:
            if isinstance(statement, ast.ClassDef):
                self._within({statement.name}, [statement])
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._body_of(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._rename_definition(node, "def")
        self._body_of(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self._within({a.arg for a in _arguments(node.args)}, [node.body])

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            own = alias.asname or alias.name
            if own in self.names:
                text = f"{alias.name} as {self.names[own]}"
                start = alias.lineno, alias.col_offset
                assert alias.end_lineno is not None and alias.end_col_offset is not None
                self.edits.append(Edit(start, (alias.end_lineno, alias.end_col_offset), text))

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global) -> None:
        text = "global " + ", ".join(self.names.get(name, name) for name in node.names)
        if set(node.names) & self.names.keys():
            self.edits.append(Edit(*span(node), text))

    def _body_of(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outer in (*node.decorator_list, *node.args.defaults):
            self.visit(outer)
        for optional in (*node.args.kw_defaults, node.returns):
            if optional is not None:
                self.visit(optional)
        for argument in _arguments(node.args):
            if argument.annotation is not None:
                self.visit(argument.annotation)
        own = {argument.arg for argument in _arguments(node.args)}
        shared = {n for s in ast.walk(node) if isinstance(s, ast.Global) for n in s.names}
        own |= defined(node.body)
        self._within(own - shared, node.body)

    def _within(self, own: set[str], body: Iterable[ast.AST]) -> None:
        """Visit the body of a scope that has names of its own."""
        outer, self.names = self.names, {k: v for k, v in self.names.items() if k not in own}
        for node in body:
            self.visit(node)
        self.names = outer

    def _rename_definition(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
                           keyword: str) -> None:  # fmt: skip
        if node.name in self.names:
            line = self.lines[node.lineno - 1]
            start = line.index(keyword.encode(), node.col_offset) + len(keyword)
            column = line.index(node.name.encode(), start)
            place = (node.lineno, column), (node.lineno, column + len(node.name.encode()))
            self.edits.append(Edit(*place, self.names[node.name]))


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    ends = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *ends]


def _stored(statement: ast.AST) -> set[str]:
    """Return the names that a statement binds in its own scope."""
    if isinstance(statement, _SCOPES):
        return {statement.name}
    if isinstance(statement, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp):
        return set()
    if isinstance(statement, ast.GeneratorExp):
        return set()
    found = set()
    if isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store | ast.Del):
        found.add(statement.id)
    if isinstance(statement, ast.ExceptHandler) and statement.name:
        found.add(statement.name)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        found |= {(a.asname or a.name).partition(".")[0] for a in statement.names}
    for child in ast.iter_child_nodes(statement):
        found |= _stored(child)
    return found
