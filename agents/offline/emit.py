"""Candidate files: the reference's text with another `forward`, or under torch.compile."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from kernelwright import syntax
from kernelwright.agents.offline.clashes import clashes, renamed
from kernelwright.agents.offline.design import Design
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.schema import Scalar
from kernelwright.tasks.kinds.module import MODULE


def forward_arguments(source: str) -> Arguments | None:
    """Return the arguments of the reference's `forward`; None where it is inherited."""
    forward = _forward(_model_class(syntax.parse(source)))
    if forward is None:
        return None
    given = forward.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args]][1:]
    return Arguments(tuple(names), given.vararg.arg if given.vararg else None)


def library_candidate(source: str, title: str, plan: Design, tunables: Mapping[str, Scalar]) -> str:
    """Return the reference with its `forward` computed by kernels.

    Names of the kernels' text that the reference's file gives to something else are changed.
    """
    imports, source = _without_future_imports(source)
    library = plan.library
    parts = [library.part(library.kernels[name], _of(name, tunables)) for name in plan.kernels]
    kernels = library.file(title, [*parts, *plan.parts], "")
    names = clashes(kernels, source)
    model = renamed_reference(source, [renamed(line, names) for line in plan.body])
    return _with_future_imports(imports, f"{renamed(kernels, names).rstrip()}\n\n\n{model}")


def _of(kernel: str, tunables: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the tunables of one kernel, by their own names."""
    split = ((name.partition("."), value) for name, value in tunables.items())
    return {own: value for (owner, _, own), value in split if owner == kernel}


def compiled_candidate(source: str, title: str, options: Mapping[str, Any]) -> str:
    """Return the reference under torch.compile."""
    imports, source = _without_future_imports(source)
    arguments = "".join(f", {key}={value!r}" for key, value in options.items())
    own = f"{MODULE.candidate}.forward"
    compiled = f"{own} = torch.compile({own}{arguments})\n"
    body = renamed_reference(source, None)
    start = f'"""{title}"""\n\nimport torch\n\n'
    return _with_future_imports(imports, f"{start}{body}\n\n{compiled}")


def _without_future_imports(source: str) -> tuple[str, str]:
    """Return the `__future__` imports, which must stand at the top, and the source without them."""
    lines = source.encode().splitlines(keepends=True)
    names: list[str] = []
    for node in reversed(syntax.parse(source).body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            names += [alias.name for alias in node.names]
            _apply(lines, *_span(node), b"")
    text = f"from __future__ import {', '.join(sorted(names))}\n" if names else ""
    return text, b"".join(lines).decode()


def _with_future_imports(imports: str, candidate: str) -> str:
    docstring, _, rest = candidate.partition("\n")
    return f"{docstring}\n\n{imports}{rest}" if imports else candidate


def renamed_reference(source: str, body: list[str] | None) -> str:
    """Return the reference's text without its input functions, its class named as a candidate's.

    Args:
        body: statements that replace those of `forward`; None keeps them.
    """
    tree = syntax.parse(source)
    lines = source.encode().splitlines(keepends=True)
    model = _model_class(tree)
    edits = list(_name_edits(tree, model, lines))
    forward = _forward(model)
    if body is not None and forward is not None:
        start, end, text = _body_edit(forward, body, lines)
        edits = [edit for edit in edits if not start <= edit[0] < end]
        edits.append((start, end, text))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in INPUTS:
            edits.append((_start(node), _span(node)[1], b""))
    for edit in sorted(edits, reverse=True):
        _apply(lines, *edit)
    return b"".join(lines).decode().strip("\n") + "\n"


INPUTS = (MODULE.inputs, MODULE.constructor_arguments)
Position = tuple[int, int]
Edit = tuple[Position, Position, bytes]


def _model_class(tree: ast.Module) -> ast.ClassDef:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return next(node for node in classes if node.name == MODULE.reference)


def _forward(model: ast.ClassDef) -> ast.FunctionDef | None:
    functions = (node for node in model.body if isinstance(node, ast.FunctionDef))
    return next((node for node in functions if node.name == "forward"), None)


def _span(node: ast.stmt | ast.expr) -> tuple[Position, Position]:
    start = node.lineno, node.col_offset
    return start, (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _start(node: ast.FunctionDef | ast.ClassDef) -> Position:
    first = node.decorator_list[0] if node.decorator_list else node
    return first.lineno, 0 if node.decorator_list else node.col_offset


def _name_edits(tree: ast.Module, model: ast.ClassDef, lines: list[bytes]) -> Iterator[Edit]:
    old, new = MODULE.reference.encode(), MODULE.candidate.encode()
    column = lines[model.lineno - 1].index(old, model.col_offset + len("class"))
    yield (model.lineno, column), (model.lineno, column + len(old)), new
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == MODULE.reference:
            yield *_span(node), new


def _body_edit(forward: ast.FunctionDef, body: list[str], lines: list[bytes]) -> Edit:
    start, end = _span(forward.body[0])[0], _span(forward.body[-1])[1]
    before = lines[start[0] - 1][: start[1]]
    if before.strip():  # the body stands on the line of `def`
        indent = b"\n" + lines[forward.lineno - 1][: forward.col_offset] + b"    "
        return start, end, indent + indent.join(line.encode() for line in body)
    return start, end, (b"\n" + before).join(line.encode() for line in body)


def _apply(lines: list[bytes], start: Position, end: Position, text: bytes) -> None:
    first, last = start[0] - 1, end[0] - 1
    joined = lines[first][: start[1]] + text + lines[last][end[1] :]
    lines[first : last + 1] = [joined]
