"""The delivered file: the reference's module, a fast path beside it, and the guard between them.

The order in the file: the reference as it is, the candidate's code within `try:`, the guard (one
frozen text), the scope, and `ModelNew`, which is the reference's class with the guard in front.
"""

from __future__ import annotations

import ast
import math
import pprint
import re
from typing import Any

from kernelwright import syntax
from kernelwright.delivery.edits import Edit, defined, edited, indented, renamed, span, without
from kernelwright.delivery.guarded import FAST, MODEL, guard
from kernelwright.delivery.scope import OUTSIDE, Family, Scope

RESERVED = frozenset({"fallbacks", "refresh", "scope", "implementation"})
"""Attributes that the guard adds to the module, besides those that begin with PRIVATE."""
PRIVATE = "_guard"
IMPORTS = (
    "import collections",
    "import inspect",
    "import math",
    "import os",
    "import warnings",
    "import torch",
    "from torch.autograd import forward_ad",
    "from torch.optim.optimizer import register_optimizer_step_post_hook",
)
REFERENCE_RULE = "# -- the reference ".ljust(100, "-")
FAST_RULE = "# -- the fast path ".ljust(100, "-")
SCOPE_RULE = "# -- the scope of the proof ".ljust(100, "-")
INPUTS = ("get_inputs", "get_init_inputs")


class NotDeliverableError(Exception):
    """A candidate can't be put into a guarded file; the message says why."""


def splice(reference: str, candidate: str, scope: Scope, title: str) -> str:
    """Return the guarded file.

    Args:
        reference: text with class `Model`.
        candidate: text with class `ModelNew`.
        title: first line of the file's docstring.

    Raises:
        NotDeliverableError: the guard can't stand in front of this module.
    """
    try:
        text = _spliced(_plain(reference), _plain(candidate), scope, title)
        syntax.parse(text)
    except syntax.UNREADABLE as error:
        why = str(error) or type(error).__name__
        message = f"its text can't be put beside the reference's: {why}"
        raise NotDeliverableError(message) from error
    return text


def _spliced(reference: str, candidate: str, scope: Scope, title: str) -> str:
    _require_free_names(reference)
    futures, own, theirs = _without_futures(reference, candidate)
    fast = _fast_path(own, theirs)
    return "\n".join(
        [
            f'"""{title}\n\n{_indented_words(scope, "")}\n"""\n',
            *([f"from __future__ import {', '.join(futures)}\n"] if futures else []),
            *IMPORTS,
            f"\n{REFERENCE_RULE}\n",
            own.strip("\n"),
            f"\n\n{FAST_RULE}\n\ntry:",
            indented(fast).rstrip("\n"),
            guard(),
            f"\n{SCOPE_RULE}\n\nSCOPE = {literal(_data(scope))}",
            f"\n\n{MODEL.format(words=_indented_words(scope, '    '))}",
        ]
    )


def _indented_words(scope: Scope, margin: str) -> str:
    lines = (*scope.words(), *OUTSIDE)
    return "\n".join(margin + line.replace("\\", "\\\\").replace('"', "'") for line in lines)


def _plain(source: str) -> str:
    """Return the text without input functions, docstring and what runs only as a script."""
    body = syntax.parse(source).body
    dropped: list[ast.stmt] = []
    for index, node in enumerate(body):
        is_input = isinstance(node, ast.FunctionDef) and node.name in INPUTS
        is_script = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        is_docstring = (
            index == 0
            and isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )
        if is_input or is_script or is_docstring:
            dropped.append(node)
    return without(source, dropped)


def _require_free_names(reference: str) -> None:
    tree = syntax.parse(reference)
    imports = _imported(syntax.parse(guard_imports()))
    others = [s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom)]
    own = defined(others) | {name for name, _origin in _imported(tree) - imports}
    for name in sorted(own & defined(syntax.parse(guard_names()).body)):
        raise NotDeliverableError(f"the guard needs the name {name!r}, which the reference defines")
    for node in ast.walk(tree):
        named = getattr(node, "attr", None) or getattr(node, "name", None)
        if named in RESERVED or str(named).startswith(PRIVATE):
            raise NotDeliverableError(f"the guard needs the name {named!r}, which the module uses")


def _without_futures(*sources: str) -> tuple[list[str], str, str]:
    """Return the names imported from `__future__`, and both texts without those imports."""
    names: set[str] = set()
    texts = []
    for source in sources:
        imports = [
            node
            for node in syntax.parse(source).body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        names |= {alias.name for node in imports for alias in node.names}
        texts.append(without(source, imports))
    return sorted(names), texts[0], texts[1]


def _fast_path(reference: str, candidate: str) -> str:
    """Return the candidate's code beside the reference: shared parts left out, names its own."""
    candidate = _as_subclass(reference, candidate)
    tree = syntax.parse(candidate)
    shared = _shared(syntax.parse(reference), tree)
    candidate = without(candidate, shared)
    taken = defined(syntax.parse(reference).body) | defined(syntax.parse(guard_names()).body)
    clashes = (defined(syntax.parse(candidate).body) & taken) - {"Model"}
    names = {name: _free(f"{name}_fast", candidate + reference) for name in sorted(clashes)}
    if "Model" in defined(syntax.parse(candidate).body):
        names["Model"] = _free("Model_fast", candidate + reference)
    if FAST in candidate or FAST in reference:
        raise NotDeliverableError(f"the guard needs the name {FAST!r}")
    text = renamed(candidate, {**names, "ModelNew": FAST})
    return re.sub(r"\n{4,}", "\n\n\n", text.strip("\n")) + "\n"


def guard_names() -> str:
    """Return Python text that defines what the guard defines."""
    definitions = re.findall(r"^(?:class|def) (\w+)|^(\w+) = ", guard(), re.MULTILINE)
    names = {first or second for first, second in definitions}
    lines = [f"{name} = None" for name in sorted({*names, "SCOPE", "IMPLEMENTATION"})]
    return "\n".join([*IMPORTS, *lines])


def _shared(reference: ast.Module, candidate: ast.Module) -> list[ast.stmt]:
    """Return the candidate's statements that the reference has too, and that mean the same here."""
    known = {
        ast.dump(statement) for statement in [*reference.body, *syntax.parse(guard_imports()).body]
    }
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    same: list[ast.stmt] = []
    same += [s for s in candidate.body if isinstance(s, kinds) and ast.dump(s) in known]
    while True:
        others = defined(s for s in candidate.body if s not in same)
        kept = [s for s in same if not (_used(s) - defined([s])) & others]
        if len(kept) == len(same):
            return same
        same = kept


def guard_imports() -> str:
    """Return the guard's imports as Python text."""
    return "\n".join(IMPORTS)


def _used(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _free(name: str, text: str) -> str:
    while name in text:
        name += "_"
    return name


def _as_subclass(reference: str, candidate: str) -> str:
    """Return the candidate with a `ModelNew` that only overrides the reference's `forward`.

    Returned as it is where the classes differ in more than that.
    """
    own, theirs = _class(reference, "Model"), _class(candidate, "ModelNew")
    if own is None or theirs is None or theirs.decorator_list:
        return candidate
    forward = _method(theirs, "forward")
    same_bases = list(map(_dump, own.bases)) == list(map(_dump, theirs.bases))
    if not same_bases or _dumps(theirs) != _dumps(own):
        return candidate
    if forward is not None and "super" in _used(forward):
        return candidate
    body = syntax.parse(candidate).body
    known = set(map(_dump, syntax.parse(reference).body))
    others = defined(s for s in body if _dump(s) not in known)
    if set().union(*(_used(n) for n in theirs.body if n is not forward)) & others:
        return candidate  # the same words, but they mean the candidate's own classes
    start, end = span(theirs)
    text = "class ModelNew(Model):\n"
    same_forward = forward is None or _dump(forward) == _dump(_method(own, "forward"))
    if not same_forward and forward is not None:
        lines = candidate.encode().splitlines(keepends=True)
        (first, _), (last, right) = span(forward)
        method = b"".join(lines[first - 1 : last - 1]) + lines[last - 1][:right]
        text += method.decode()
    else:
        text += "    pass"
    return edited(candidate, [Edit(start, end, text)])


def _class(source: str, name: str) -> ast.ClassDef | None:
    found = (n for n in syntax.parse(source).body if isinstance(n, ast.ClassDef) and n.name == name)
    return next(found, None)


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    found = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return next(found, None)


def _dumps(node: ast.ClassDef) -> list[str | None]:
    """Return the parts of a class but its docstring and `forward`."""
    parts = [part for part in node.body if part is not _method(node, "forward")]
    return [_dump(part) for part in parts if not isinstance(part, ast.Expr)]


def _dump(node: ast.AST | None) -> str | None:
    """Return a tree as text in which both classes have one name."""
    return None if node is None else ast.dump(node).replace("id='ModelNew'", "id='Model'")


def _imported(tree: ast.Module) -> set[tuple[str, str]]:
    """Return the names that module-level imports bind, each with its origin."""
    names: set[tuple[str, str]] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            tops = [(alias.asname, alias.name) for alias in node.names]
            names |= {(own, of) if own else (of.partition(".")[0],) * 2 for own, of in tops}
        elif isinstance(node, ast.ImportFrom):
            of = "." * node.level + (node.module or "")
            names |= {(a.asname or a.name, f"{of}:{a.name}") for a in node.names}
    return names


def _data(scope: Scope) -> dict[str, Any]:
    return {"device": scope.device, "families": [_family(family) for family in scope.families]}


def _family(family: Family) -> dict[str, Any]:
    return {name: getattr(family, name) for name in Family.model_fields if name != "names"}


def literal(value: Any) -> str:
    """Return plain data as Python text."""
    return pprint.pformat(_with_float_calls(value), width=98, sort_dicts=False, compact=True)


class _NotFinite(float):
    """A float that Python has no literal for."""

    def __repr__(self) -> str:
        return f'float("{super().__repr__()}")'


def _with_float_calls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_float_calls(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_with_float_calls, value))
    if type(value) is float and not math.isfinite(value):
        return _NotFinite(value)
    return value
