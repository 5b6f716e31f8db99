"""Candidate files from a traced graph: library kernels and generated ones, or torch.compile."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kernelwright import syntax
from kernelwright.agents.offline.graph import Attribute, Graph, Inverse, Node, Ref, attribute_path
from kernelwright.agents.offline.kernel_rules import Found, find
from kernelwright.agents.offline.pointwise import find_region
from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.library import Library, Part
from kernelwright.schema import Scalar
from kernelwright.tasks.kinds.module import MODULE

# Operators that may stand between kernels as they are: none takes a size from the traced shapes.
OPAQUE = frozenset(
    f"aten.{name}"
    for name in (
        "linear.default addmm.default mm.default bmm.default matmul.default conv1d.default "
        "conv2d.default conv2d.padding conv3d.default conv_transpose1d.default "
        "conv_transpose2d.input conv_transpose3d.input max_pool1d.default max_pool2d.default "
        "max_pool3d.default avg_pool1d.default avg_pool2d.default avg_pool3d.default "
        "mean.dim sum.dim_IntList amax.default max.dim min.dim logsumexp.default softmax.int "
        "group_norm.default layer_norm.default transpose.int permute.default unsqueeze.default "
        "squeeze.dim flatten.using_ints cat.default chunk.default"
    ).split()
)
GETITEM = "<built-in function getitem>"


class Design(NamedTuple):
    """A plan to compute a graph with kernels."""

    library: Library
    parts: tuple[Part, ...]
    """Generated kernels."""
    kernels: tuple[str, ...]
    """Library kernels."""
    body: tuple[str, ...]
    """Statements of `forward`."""

    def tunables(self) -> dict[str, tuple[int, ...]]:
        """Return `kernel.NAME` -> values, for the tuner."""
        return {
            f"{name}.{own}": values
            for name in self.kernels
            for own, values in self.library.kernels[name].tunables.items()
        }


def design(graph: Graph, argument_names: list[str], library: Library = CPP) -> Design | None:
    """Cover the graph with kernels; None where none fits or something can't stand between them.

    Args:
        library: the kernels' own; C++ also has generated kernels.
    """
    if graph.mutates or len(argument_names) != len(graph.inputs):
        return None
    found, parts = _cover(graph, library)
    if not found:
        return None
    body = _Body(graph, argument_names, found).statements()
    if body is None:
        return None
    kernels = sorted({f.kernel for f in found.values()} & set(library.kernels))
    return Design(library, tuple(parts), tuple(kernels), tuple(body))


def _cover(graph: Graph, library: Library) -> tuple[dict[str, Found], list[Part]]:
    """Return kernels by the name of the node they end at, outputs first, and generated parts."""
    found: dict[str, Found] = {}
    covered: set[str] = set()
    parts: list[Part] = []
    for node in reversed(list(graph.nodes.values())):
        if node.op != "call_function" or node.name in covered:
            continue
        place = find(graph, node)
        if place is None or place.covered & covered or place.kernel not in library.kernels:
            region = find_region(graph, node) if library is CPP else None
            if region is None or region[0].covered & covered:
                continue
            place = region[0]
            parts.append(region[1])
        found[node.name] = place
        covered |= place.covered
    return found, parts


class _Body:
    """A renderer of the statements of `forward`."""

    def __init__(self, graph: Graph, arguments: list[str], found: Mapping[str, Found]) -> None:
        self.graph = graph
        self.found = found
        self.hidden = set().union(*(f.covered for f in found.values()))
        self.names = {n.name: a for n, a in zip(graph.inputs, arguments, strict=True)}

    def statements(self) -> list[str] | None:
        lines: list[str] = []
        for node in self.graph.nodes.values():
            if node.attribute is not None:
                self.names[node.name] = attribute_path(node.attribute)
            elif node.name in self.found:
                lines.append(self._kernel(self.found[node.name]))
            elif node.op == "call_function" and node.name not in self.hidden:
                if not self._can_stand(node):
                    return None
                lines.append(self._opaque(node))
        results = [self._render(r) for r in self.graph.outputs]
        return [*lines, f"return {', '.join(results)}"]

    def _can_stand(self, node: Node) -> bool:
        return node.target in OPAQUE or node.target == GETITEM

    def _kernel(self, found: Found) -> str:
        arguments = ", ".join(self._render(a) for a in found.call.arguments)
        results = [self._variable(name) for name in found.call.results]
        return f"{', '.join(results)} = {found.kernel}({arguments})"

    def _variable(self, name: str) -> str:
        # Node names are those of operators, and so of the kernels' wrappers.
        self.names[name] = f"y_{name}"
        return self.names[name]

    def _opaque(self, node: Node) -> str:
        arguments = [self._render(a) for a in node.args]
        result = self._variable(node.name)
        if node.target == GETITEM:
            return f"{result} = {arguments[0]}[{arguments[1]}]"
        arguments += [f"{key}={self._render(value)}" for key, value in node.kwargs.items()]
        return f"{result} = torch.ops.{node.target}({', '.join(arguments)})"

    def _render(self, value: Any) -> str:
        if isinstance(value, Ref):
            return self.names[value.name]
        if isinstance(value, Attribute):
            return attribute_path(value.name)
        if isinstance(value, Inverse):
            return f"1.0 / {self._render(value.of)}"
        if isinstance(value, list):
            return f"[{', '.join(self._render(item) for item in value)}]"
        return repr(value)


def forward_arguments(source: str) -> list[str] | None:
    """Return the names of `Model.forward`'s arguments without self; None where it is inherited."""
    forward = _forward(_model_class(syntax.parse(source)))
    return None if forward is None else [argument.arg for argument in forward.args.args[1:]]


def library_candidate(source: str, title: str, plan: Design, tunables: Mapping[str, Scalar]) -> str:
    """Return the reference with its `forward` computed by kernels."""
    imports, source = _without_future_imports(source)
    library = plan.library
    parts = [library.part(library.kernels[name], _of(name, tunables)) for name in plan.kernels]
    model = renamed_reference(source, list(plan.body))
    return _with_future_imports(imports, library.file(title, [*parts, *plan.parts], model))


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
