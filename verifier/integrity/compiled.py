"""Candidates that are the reference under torch.compile, and so no kernel of their author's."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from kernelwright import syntax
from kernelwright.delivery.guarded import FAST, fast_path
from kernelwright.schema import Compiled
from kernelwright.tasks.kinds.module import MODULE

INPUTS = (MODULE.inputs, MODULE.constructor_arguments)
COMPILE = ("torch.compile", "compile")
# Texts without this call it nowhere; parsing a file takes 20 ms.
CALLED = re.compile(r"\bcompile[\s\\]*\(|torch[\s\\]*\.[\s\\]*compile\b|@[\s\\]*compile\b")
# Arguments of torch.compile with values that are those of the baseline, which has none.
DEFAULTS = {
    "mode": (None, "default"),
    "options": (None, {}),
    "backend": ("inductor",),
    "dynamic": (None,),
    "disable": (False,),
    "fullgraph": (False, True),
}
# Each verdict asks a few times about the same file.
KNOWN_FILES = 100
# A fast path of a guarded file that is the reference's class, without its docstring.
EMPTY = f"class {FAST}({MODULE.reference}):\n    pass"


@functools.lru_cache(KNOWN_FILES)
def compiled_reference(candidate: str, reference: str) -> Compiled | None:
    """Return how the candidate is the reference under torch.compile; None if it is something else.

    It is where nothing but calls of torch.compile was added to the text of the reference, and its
    class has the candidate's name. In a guarded file the fast path has nothing else.
    """
    if not CALLED.search(candidate):
        return None
    try:
        return _compiled(candidate, reference)
    except syntax.UNREADABLE:
        return None


def _compiled(candidate: str, reference: str) -> Compiled | None:
    guarded, other = fast_path(candidate), syntax.parse(reference)
    stripper = _Stripper()
    stripped = [stripper.visit(node) for node in guarded or syntax.parse(candidate).body]
    if not stripper.arguments:
        return None
    known = {_text(node) for node in _definitions(other.body)}
    model = _text(_model(other.body)) if guarded is None else EMPTY
    texts = [_text(node) for node in _definitions(stripped)]
    if model is None or model not in texts or not set(texts) <= {*known, model}:
        return None
    return "baseline" if all(map(_is_default, stripper.arguments)) else "options"


class _Stripper(ast.NodeTransformer):
    """Replaces calls of torch.compile by what they compile, and renames the class."""

    def __init__(self) -> None:
        self.arguments: list[ast.keyword | ast.expr] = []
        """Arguments of all calls besides what they compile; a constant for a call without any."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace `torch.compile(X, ...)` by X."""
        self.generic_visit(node)
        if not _is_compile(node.func) or not node.args:
            return node
        self._note(node.args[1:], node.keywords)
        return node.args[0]

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename the candidate's class."""
        return ast.Name(MODULE.reference, node.ctx) if node.id == MODULE.candidate else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Rename the candidate's class, and strip its decorators and docstring."""
        node.name = MODULE.reference if node.name == MODULE.candidate else node.name
        return self._stripped(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Strip a function's decorators and docstring."""
        return self._stripped(node)

    def _stripped(self, node: ast.ClassDef | ast.FunctionDef) -> ast.AST:
        kept = []
        for decorator in node.decorator_list:
            if _is_compile(decorator):
                self._note([], [])
            elif isinstance(decorator, ast.Call) and _is_compile(decorator.func):
                self._note(decorator.args, decorator.keywords)
            else:
                kept.append(decorator)
        node.decorator_list = kept
        self.generic_visit(node)
        return node

    def _note(self, arguments: list[ast.expr], keywords: list[ast.keyword]) -> None:
        self.arguments += [*arguments, *keywords] or [ast.keyword("disable", ast.Constant(False))]


def calls_compile(source: str) -> bool:
    """Return whether a file names torch.compile."""
    try:
        nodes = ast.walk(syntax.parse(source))
        return any(_is_compile(n) for n in nodes if isinstance(n, ast.Attribute | ast.Name))
    except syntax.UNREADABLE:
        return False


def _is_compile(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in COMPILE


def _is_default(argument: ast.keyword | ast.expr) -> bool:
    if not isinstance(argument, ast.keyword) or argument.arg not in DEFAULTS:
        return False
    try:
        return ast.literal_eval(argument.value) in DEFAULTS[argument.arg]
    except ValueError:
        return False


def _definitions(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that make a program: no imports, sizes, inputs, nor what was emptied."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_nothing(node):
            continue
        if isinstance(node, ast.FunctionDef) and node.name in INPUTS:
            continue
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            continue  # sizes, which are others for every workload
        yield node


def _is_nothing(node: ast.stmt) -> bool:
    """Whether a statement is text, or assigns to something what it is already."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return False
    return ast.unparse(node.targets[0]) == ast.unparse(node.value)


def _model(body: list[ast.stmt]) -> ast.stmt | None:
    classes = (node for node in body if isinstance(node, ast.ClassDef))
    return next((node for node in classes if node.name == MODULE.reference), None)


def _text(node: ast.stmt | None) -> str | None:
    """Return a statement's text without comments, docstrings and annotations' layout."""
    if node is None:
        return None
    for part in ast.walk(node):
        if isinstance(part, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            has_text = ast.get_docstring(part, clean=False) is not None
            part.body = part.body[1:] if has_text and len(part.body) > 1 else part.body
    return ast.unparse(ast.fix_missing_locations(node))
