"""A candidate's text as the static rules see it: names lead through aliases to what they mean.

Nothing is run. Names follow Python's scopes, but not the order of statements: a name that is a
module anywhere in its scope counts as that module, and a parameter as whatever is passed for it.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterable, Iterator

from kernelwright import syntax

Binding = str | ast.AST | None
"""A dotted path, an expression or definition, or None where nothing is known."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef
FUEL = 200
"""Steps of one look-up: aliases can be circular, and a candidate may want to keep us busy."""
LONGEST_TEXT = 100_000
MOST_BINDINGS = 50
IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})


class Scope:
    """Names bound in a function, class or module."""

    def __init__(self, parent: Scope | None, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.bindings: dict[str, list[Binding]] = {}
        self.outer: dict[str, Scope] = {}
        """The scopes of names declared global or nonlocal."""

    def bind(self, name: str, value: Binding) -> None:
        """Record one binding."""
        known = self.outer.get(name, self).bindings.setdefault(name, [])
        if len(known) < MOST_BINDINGS and not (known and value is None):
            known.append(value)

    def declare(self, name: str, is_global: bool) -> None:
        """Record that `name` belongs to a scope outside."""
        root = self
        while is_global and root.parent is not None:
            root = root.parent
        outside = None if self.parent is None else self.parent.owner(name)
        self.outer[name] = root if is_global else outside or self

    def owner(self, name: str) -> Scope | None:
        """Return the scope that `name` belongs to when it is used here; None for a builtin."""
        scope: Scope | None = self
        while scope is not None:
            hidden = scope.is_class and scope is not self
            if name in scope.bindings and not hidden:
                return scope
            scope = scope.parent
        return None


class Source:
    """A parsed candidate."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes: list[ast.AST] = []
        """All nodes in the order of the text."""
        self.parent: dict[ast.AST, ast.AST] = {}
        self.scope: dict[ast.AST, Scope] = {}
        """The scope that a node's names are looked up in; a function's own for a function."""
        self.outside: dict[ast.AST, ast.AST | None] = {}
        """The function that a node stands in."""
        self.functions: dict[str, list[Definition]] = {}
        self.names_own: dict[ast.Name, bool] = {}
        """Whether a name stands for something of the module's, by where it is used."""
        self._paths: dict[ast.AST, frozenset[str]] = {}
        self._walk()
        for node in self.nodes:
            if isinstance(node, ast.Call):
                self._pass_arguments(node)
            elif isinstance(node, ast.For | ast.comprehension):
                self._pass_items(node)
        self.forward = self._forward_functions()
        """`forward` and `__call__` methods, and what is assigned to be one."""
        self.reachable = self._reachable()
        """Functions of `forward`, and every function of the file that they may call."""

    def _walk(self) -> None:
        stack: list[tuple[ast.AST, Scope, ast.AST | None]] = [(self.tree, Scope(None), None)]
        while stack:
            node, scope, function = stack.pop()
            self.outside[node] = function
            bind_names(node, scope)
            if isinstance(node, Definition | ast.Lambda | ast.ClassDef):
                scope = Scope(scope, isinstance(node, ast.ClassDef))
            if isinstance(node, Definition):
                self.functions.setdefault(node.name, []).append(node)
                function = node
            self.nodes.append(node)
            self.scope[node] = scope
            children = list(ast.iter_child_nodes(node))
            self.parent.update((child, node) for child in children)
            stack += [(child, scope, function) for child in reversed(children)]

    def _pass_arguments(self, call: ast.Call) -> None:
        if not isinstance(call.func, ast.Name):
            return
        for function in self.values(call.func):
            if not isinstance(function, Definition):
                continue
            names = [argument.arg for argument in function.args.posonlyargs + function.args.args]
            passed = [*zip(names, call.args, strict=False)]
            passed += [(word.arg, word.value) for word in call.keywords if word.arg in names]
            for name, value in passed:
                if not isinstance(value, ast.Starred):
                    self.scope[function].bind(name, value)

    def _pass_items(self, loop: ast.For | ast.comprehension) -> None:
        for target, item in _loop_items(loop, self._literal(loop.iter)):
            for name, value in _pairs(target, item):
                self.scope[loop].bind(name, value)

    def _literal(self, node: ast.expr) -> Binding:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
            node = node.func.value  # .items() or .keys()
        values = self.values(node) if isinstance(node, ast.Name) else [node]
        kinds = ast.Tuple | ast.List | ast.Set | ast.Dict
        return next((value for value in values if isinstance(value, kinds)), None)

    def _forward_functions(self) -> set[ast.AST]:
        found: set[ast.AST] = set()
        for name in ("forward", "__call__"):
            methods = self.functions.get(name, [])
            found.update(m for m in methods if isinstance(self.parent[m], ast.ClassDef))
        for node in self.nodes:
            if isinstance(node, ast.Assign) and any(map(_is_forward, node.targets)):
                if isinstance(node.value, ast.Name):
                    values = self.values(node.value)
                    found.update(f for f in values if isinstance(f, Definition))
        return found

    def _reachable(self) -> set[ast.AST]:
        found = set(self.forward)
        todo = list(found)
        while todo:
            for node in ast.walk(todo.pop()):
                new = [f for f in self._mentioned(node) if f not in found]
                found.update(new)
                todo += new
        return found

    def _mentioned(self, node: ast.AST) -> list[ast.AST]:
        if isinstance(node, ast.Name):
            return [f for f in self.values(node) if isinstance(f, Definition)]
        if isinstance(node, ast.Attribute) and is_self(node.value):
            return list(self.functions.get(node.attr, []))
        return []

    def is_within(self, node: ast.AST, functions: set[ast.AST]) -> bool:
        """Whether a node stands inside one of these functions."""
        here: ast.AST | None = node
        while here is not None and here not in functions:
            here = self.outside[here]
        return here is not None

    def values(self, name: ast.Name) -> list[Binding]:
        """Return what a name may be bound to; empty for a builtin."""
        scope = self.scope[name].owner(name.id)
        return scope.bindings[name.id] if scope else []

    def paths(self, node: ast.AST) -> frozenset[str]:
        """Return dotted paths of the imported or built-in thing that an expression may mean."""
        if node not in self._paths:
            self._paths[node] = frozenset(self._find(node, [FUEL]))
        return self._paths[node]

    def _find(self, node: Binding, fuel: list[int]) -> set[str]:
        fuel[0] -= 1
        if fuel[0] < 0:
            return set()
        if isinstance(node, str):
            return {node}
        if isinstance(node, ast.Name):
            return self._find_name(node, fuel)
        if isinstance(node, ast.Attribute):
            return {f"{path}.{node.attr}" for path in self._find(node.value, fuel)}
        if isinstance(node, ast.NamedExpr):
            return self._find(node.value, fuel)
        if isinstance(node, ast.IfExp):
            return self._find(node.body, fuel) | self._find(node.orelse, fuel)
        if isinstance(node, ast.Subscript):
            return self._find_item(node.value, node.slice, fuel)
        return self._find_call(node, fuel) if isinstance(node, ast.Call) else set()

    def _find_name(self, node: ast.Name, fuel: list[int]) -> set[str]:
        scope = self.scope[node].owner(node.id)
        if scope is None:
            return {f"builtins.{node.id}"} if hasattr(builtins, node.id) else self._starred(node)
        return set().union(*(self._find(value, fuel) for value in scope.bindings[node.id]))

    def _starred(self, node: ast.Name) -> set[str]:
        scope = self.scope[node].owner("*")
        stars = scope.bindings["*"] if scope else []
        return {f"{star.removesuffix('*')}{node.id}" for star in stars if isinstance(star, str)}

    def _find_item(self, holder: ast.AST, key: ast.AST, fuel: list[int]) -> set[str]:
        name = self.text(key)
        if name is None:
            return set()
        found = set()
        for path in self._find(holder, fuel):
            if path == "sys.modules":
                found.add(name)
            elif path.endswith(".__dict__"):
                found.add(f"{path.removesuffix('.__dict__')}.{name}")
        return found

    def _find_call(self, node: ast.Call, fuel: list[int]) -> set[str]:
        called, arguments = self._find(node.func, fuel), node.args
        if called & IMPORTERS and arguments:
            name = self.text(arguments[0])
            return set() if name is None else {name}
        if "sys.modules.get" in called and arguments:
            assert isinstance(node.func, ast.Attribute)
            return self._find_item(node.func.value, arguments[0], fuel)
        if "builtins.getattr" in called and len(arguments) > 1:
            name = self.text(arguments[1])
            return (
                set() if name is None else {f"{p}.{name}" for p in self._find(arguments[0], fuel)}
            )
        if "builtins.vars" in called and arguments:
            return {f"{path}.__dict__" for path in self._find(arguments[0], fuel)}
        if "functools.partial" in called and arguments:
            return self._find(arguments[0], fuel)
        return set()

    def used(self) -> Iterator[tuple[ast.AST, str]]:
        """Yield every mention of something imported or built in, with its whole path."""
        for node in self.nodes:
            if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                continue
            for path in sorted(self.paths(node)):
                if not self.is_part(node):
                    yield node, path

    def is_part(self, node: ast.AST) -> bool:
        """Whether a node is the beginning of a longer path."""
        above = self.parent.get(node)
        inner = getattr(above, "value", None) or getattr(above, "func", None)
        return above is not None and inner is node and bool(self.paths(above))

    def text(self, node: ast.AST, follow: bool = True) -> str | None:
        """Return the string that a constant expression gives; None for anything else.

        Args:
            follow: look names up too.
        """
        return self._fold(node, follow, [FUEL])

    def _fold(self, node: Binding, follow: bool, fuel: list[int]) -> str | None:
        fuel[0] -= 1
        if fuel[0] < 0 or node is None or isinstance(node, str):
            return None
        if isinstance(node, ast.Constant):
            value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            return value if isinstance(value, str) else None
        if isinstance(node, ast.Name) and follow:
            return self._first(self.values(node), fuel)
        if isinstance(node, ast.Subscript):
            text = self._fold(node.value, follow, fuel) if _is_reversal(node.slice) else None
            return text if text is None else text[::-1]
        return self._join(self._parts(node), follow, fuel)

    def _first(self, values: Iterable[Binding], fuel: list[int]) -> str | None:
        found = (self._fold(value, True, fuel) for value in values)
        return next((text for text in found if text is not None), None)

    def _parts(self, node: ast.AST) -> list[ast.expr] | None:
        """Return what a string is put together from; None where the node doesn't do that."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [node.left, node.right]
        if isinstance(node, ast.JoinedStr):
            return node.values
        if isinstance(node, ast.FormattedValue):
            return [node.value]
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        if node.func.attr == "decode":
            return [node.func.value]
        listed = node.args[0] if len(node.args) == 1 else None
        if node.func.attr != "join" or not isinstance(listed, ast.List | ast.Tuple):
            return None
        return list(listed.elts) if self.text(node.func.value, follow=False) == "" else None

    def _join(self, parts: list[ast.expr] | None, follow: bool, fuel: list[int]) -> str | None:
        if parts is None:
            return None
        texts = []
        for part in parts:
            text = self._fold(part, follow, fuel)
            if text is None:
                return None
            texts.append(text)
        return "".join(texts) if sum(map(len, texts)) <= LONGEST_TEXT else None


def parse(text: str) -> Source | None:
    """Return the candidate, or None where it isn't Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = syntax.parse(text)
    except syntax.UNREADABLE:
        return None
    tree.body = [node for node in tree.body if not _is_main_block(node)]
    return Source(tree)


def _is_main_block(node: ast.stmt) -> bool:
    # What stands there never runs: a candidate is imported.
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    left, (operator, *_), (right, *more) = node.test.left, node.test.ops, node.test.comparators
    is_name = isinstance(left, ast.Name) and left.id == "__name__"
    is_main = isinstance(right, ast.Constant) and right.value == "__main__"
    return is_name and is_main and isinstance(operator, ast.Eq) and not more


def _is_forward(target: ast.AST) -> bool:
    return isinstance(target, ast.Attribute) and target.attr in ("forward", "__call__")


def is_self(node: ast.AST) -> bool:
    """Whether an expression is the module itself."""
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _is_reversal(node: ast.AST) -> bool:
    if not isinstance(node, ast.Slice) or node.lower or node.upper:
        return False
    step = node.step
    return isinstance(step, ast.UnaryOp) and isinstance(step.operand, ast.Constant)


def bind_names(node: ast.AST, scope: Scope) -> None:
    """Record in `scope` what a node binds."""
    for name, value in _bindings(node):
        scope.bind(name, value)
    if isinstance(node, ast.Global | ast.Nonlocal):
        for name in node.names:
            scope.declare(name, isinstance(node, ast.Global))
    elif isinstance(node, ast.arg):
        scope.bind(node.arg, None)


def _bindings(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _imports(node)
    elif isinstance(node, Definition | ast.ClassDef):
        yield node.name, node
    elif isinstance(node, ast.arguments):
        names = [argument.arg for argument in node.posonlyargs + node.args]
        yield from zip(reversed(names), reversed(node.defaults), strict=False)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, None  # whatever else binds it
    else:
        for target, value in _assignments(node):
            yield from _pairs(target, value)


def _assignments(node: ast.AST) -> list[tuple[ast.expr, ast.expr | None]]:
    if isinstance(node, ast.Assign):
        return [(target, node.value) for target in node.targets]
    if isinstance(node, ast.AnnAssign | ast.NamedExpr):
        return [(node.target, node.value)]
    return []


def _loop_items(
    loop: ast.For | ast.comprehension, literal: Binding
) -> list[tuple[ast.expr, ast.expr]]:
    """Return the values of a loop's variables, one after the other, if it is over a literal."""
    if isinstance(literal, ast.Tuple | ast.List | ast.Set):
        return [(loop.target, item) for item in literal.elts]
    if not isinstance(literal, ast.Dict):
        return []
    target = loop.target
    if isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target = target.elts[0]
    return [(target, key) for key in literal.keys if key is not None]


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            first = alias.name.split(".")[0]
            yield first, first


def _pairs(target: ast.AST, value: ast.AST | None) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        if len(target.elts) == len(value.elts):
            for inner, item in zip(target.elts, value.elts, strict=True):
                yield from _pairs(inner, item)
