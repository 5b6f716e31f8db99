"""Static rules on answers that are not computed: kept, put off, or right only while watched."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice

from kernelwright.verifier.integrity.rule import static_rule
from kernelwright.verifier.integrity.static.hits import Hit, below, below_any, hit_at
from kernelwright.verifier.integrity.static.patterns import BUILD_VARIABLES, SNIFFED
from kernelwright.verifier.integrity.static.source import Binding, Definition, Source, is_self

LOOKUPS = frozenset({"get", "setdefault", "pop", "__getitem__", "__contains__"})
MOST_PARTS = 500
"""Parts of one expression; longer keys and conditions are only written to keep us busy."""
CACHES = frozenset({"functools.lru_cache", "functools.cache"})
EQUAL = frozenset({"torch.equal", "torch.allclose"})


@static_rule(
    "memo-by-address",
    "suspicious",
    "Finds results by address or content",
    "A tensor's address, identity or content as a key, or compared with one that was "
    "kept, gives back an old result instead of a new one. What is prepared from "
    "parameters and made again when their address or version changes is not meant.",
    catches="H09 H26 H27 H30",
)
def memo(source: Source) -> Iterator[Hit]:
    """Find results that are found again by the address, the identity or the content of an input."""
    inputs = _inputs(source)
    for node in source.nodes:
        for key, is_item in _keys(node):
            if _is_address(source, key) or (is_item and _is_content(source, key)):
                yield hit_at(node, "looks something up by an address or by content")
        if isinstance(node, ast.Compare):
            yield from _compared(source, node, inputs)
        elif isinstance(node, Definition):
            if node in source.forward and below_any(_decorators(source, node), tuple(CACHES)):
                yield hit_at(node, "keeps the results of forward")
        elif isinstance(node, ast.Call) and source.is_within(node, source.reachable):
            if source.paths(node.func) & EQUAL:
                yield hit_at(node, "compares tensors in forward")
            elif _is_cached_call(source, node, inputs):
                yield hit_at(node, "keeps results by the identity of an input")


def _inputs(source: Source) -> set[str]:
    methods = [f for f in source.forward if isinstance(f, Definition)]
    names = {a.arg for f in methods for a in f.args.posonlyargs + f.args.args}
    return names - {"self", "ctx"}


def _decorators(source: Source, function: Definition) -> frozenset[str]:
    plain = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return frozenset().union(*(source.paths(d) for d in plain))


def _is_cached_call(source: Source, node: ast.Call, inputs: set[str]) -> bool:
    functions = source.values(node.func) if isinstance(node.func, ast.Name) else []
    cached = any(isinstance(f, Definition) and _decorators(source, f) & CACHES for f in functions)
    return cached and any(isinstance(a, ast.Name) and a.id in inputs for a in node.args)


def _keys(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """Yield keys that something is looked up by, and whether it is surely a mapping or set."""
    if isinstance(node, ast.Subscript):
        yield node.slice, False
    elif isinstance(node, ast.Dict):
        yield from ((key, True) for key in node.keys if key is not None)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in LOOKUPS and node.args:
            yield node.args[0], True
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        yield node.left, True


def _expanded(source: Source, node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression, and of what its names are bound to."""
    return islice(_expand(source, node, 3), MOST_PARTS)


def _expand(source: Source, node: ast.AST, depth: int) -> Iterator[ast.AST]:
    for part in ast.walk(node):
        yield part
        if isinstance(part, ast.Name) and depth:
            for value in source.values(part):
                if isinstance(value, ast.expr):
                    yield from _expand(source, value, depth - 1)


def _is_address(source: Source, node: ast.AST) -> bool:
    return any(_address_of(source, part) is not None for part in _expanded(source, node))


def _address_of(source: Source, node: ast.AST) -> ast.expr | None:
    """Return the object of which a node is the address or identity; None for weights and others."""
    owner: ast.expr | None = None
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("data_ptr", "tobytes"):
            owner = node.func.value
        elif "builtins.id" in source.paths(node.func) and node.args:
            owner = node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr == "_cdata":
        owner = node.value
    # A weight that was packed once is found again by its own address.
    return None if owner is None or _is_own(source, owner) else owner


MOST_NAMES = 20
"""Names that are looked up, and nodes around one, to tell whether it is the module's own."""
# Methods of a module, or of what it holds, whose items are the module's own.
OWN_ITEMS = frozenset(
    "parameters named_parameters buffers named_buffers modules children values items".split()
)


def _is_own(source: Source, owner: ast.expr) -> bool:
    """Whether an expression is the module's: an attribute of it, or a name for some of these."""
    root = _root(owner)
    if is_self(root) or not isinstance(root, ast.Name):
        return is_self(root)
    if root not in source.names_own:
        source.names_own[root] = _names_own(source, root, [MOST_NAMES])
    return source.names_own[root]


def _names_own(source: Source, name: ast.Name, fuel: list[int]) -> bool:
    fuel[0] -= 1
    if fuel[0] < 0:
        return False
    values = [*source.values(name), *_iterated(source, name)]
    values = [value for value in values if value is not None]
    return bool(values) and all(_is_own_value(source, value, fuel) for value in values)


def _is_own_value(source: Source, node: Binding, fuel: list[int]) -> bool:
    """Whether a value is an attribute of the module or an item of one; no call's result is."""
    if isinstance(node, ast.Tuple | ast.List):
        return all(_is_own_value(source, item, fuel) for item in node.elts)
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Attribute) or node.func.attr not in OWN_ITEMS:
                return False
            node = node.func
        node = node.value
    return isinstance(node, ast.Name) and (is_self(node) or _names_own(source, node, fuel))


def _iterated(source: Source, name: ast.Name) -> list[Binding]:
    """Return what the loops around a name that bind it go over, but for literals."""
    found: list[Binding] = []
    above = source.parent.get(name)
    for _ in range(MOST_NAMES):
        if above is None:
            break
        loops = [above] if isinstance(above, ast.For) else getattr(above, "generators", [])
        for loop in loops:
            targets = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            if name.id in targets:
                found.append(loop.iter)
        above = source.parent.get(above)
    return found


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def _is_content(source: Source, node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr in ("item", "tolist")
        for part in _expanded(source, node)
    )


def _compared(source: Source, node: ast.Compare, inputs: set[str]) -> Iterator[Hit]:
    sides = [node.left, *node.comparators]
    if any(_is_nothing(side) for side in sides):
        return
    owners = [_address_of(source, side) for side in sides]
    found = [o for side in sides for o in _addresses(source, side)]
    # Whether an output shares memory with an input is a fair question.
    both_local = all(isinstance(owner, ast.Name) for owner in owners)
    if found and not both_local:
        yield hit_at(node, "compares addresses")
    if isinstance(node.ops[0], ast.Is | ast.IsNot):
        named = any(isinstance(s, ast.Name) and s.id in inputs for s in sides)
        kept = any(isinstance(s, ast.Attribute | ast.Subscript) for s in sides)
        if named and kept:
            yield hit_at(node, "compares an input with one that was kept")


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, 0)


def _addresses(source: Source, node: ast.expr) -> list[ast.expr]:
    """Return the objects with addresses in a side of a comparison; none for alignment tests."""
    parts = list(_expanded(source, node))
    if any(isinstance(p, ast.BinOp) and isinstance(p.op, ast.Mod | ast.BitAnd) for p in parts):
        return []
    return [o for o in (_address_of(source, part) for part in parts) if o is not None]


@static_rule(
    "phase-sniffing",
    "suspicious",
    "Behaves differently when watched",
    "`forward` branches on how often it was called, on the clock, the environment, grad "
    "mode or a profiler: what tells a check from a timing.",
    catches="H29 H31 H32",
)
def phase_sniffing(source: Source) -> Iterator[Hit]:
    """Find branches of `forward` on what tells a check from a timing."""
    counters = set(_counters(source))
    counting = {p for _, p in source.used() if p == "itertools.count"}
    for test in _tests(source):
        for part in _expanded(source, test):
            for path in sorted(source.paths(part)):
                whole = below(path, SNIFFED) and not source.is_part(part)
                if whole and not _is_build_question(source, part):
                    yield hit_at(test, f"branches on {path}")
            if _spot(part) in counters:
                yield hit_at(test, "branches on the number of calls")
            elif counting and _is_next(source, part):
                yield hit_at(test, "branches on the number of calls")


def _tests(source: Source) -> Iterator[ast.expr]:
    for node in source.nodes:
        test = None
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            test = node.test
        elif isinstance(node, ast.Match):
            test = node.subject
        if test is not None and source.is_within(node, source.reachable):
            yield test


def _is_next(source: Source, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or "builtins.next" not in source.paths(node.func):
        return False
    return bool(node.args) and isinstance(node.args[0], ast.Name | ast.Attribute)


def _is_build_question(source: Source, node: ast.AST) -> bool:
    """Whether a mention of the environment asks for a compiler or a folder."""
    above = source.parent.get(node)
    while isinstance(above, ast.Attribute):
        above = source.parent.get(above)
    key: ast.expr | None = None
    if isinstance(above, ast.Subscript):
        key = above.slice
    elif isinstance(above, ast.Call) and above.args:
        key = above.args[0]
    elif isinstance(above, ast.Compare):
        key = above.left
    return key is not None and source.text(key) in BUILD_VARIABLES


def _counters(source: Source) -> Iterator[str]:
    """Yield places outside a call's own variables that `forward` adds to."""
    for node in source.nodes:
        if not source.is_within(node, source.reachable):
            continue
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
            yield from _kept_spot(source, node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
            read = {_spot(part) for part in ast.walk(node.value)}
            for target in node.targets:
                yield from (s for s in _kept_spot(source, target) if s in read)


def _kept_spot(source: Source, node: ast.expr) -> Iterator[str]:
    spot = _spot(node)
    root = _root(node)
    if spot is None or not isinstance(root, ast.Name):
        return
    scope = source.scope[root]
    is_outer = root.id in scope.outer or root.id not in scope.bindings
    if is_self(root) or is_outer:
        yield spot


def _spot(node: ast.AST, depth: int = 8) -> str | None:
    """Return one spelling of a variable, attribute or constant item; None for other expressions."""
    if depth == 0:
        return None
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return _spotted(node.value, node.attr, depth)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return _spotted(node.value, repr(node.slice.value), depth)
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return None
    name = node.args[1] if isinstance(node.func, ast.Name) else node.args[0]
    if not isinstance(name, ast.Constant):
        return None
    if isinstance(node.func, ast.Name) and node.func.id == "getattr":
        return _spotted(node.args[0], str(name.value), depth)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return _spotted(node.func.value, repr(name.value), depth)
    return None


def _spotted(owner: ast.AST, name: str, depth: int) -> str | None:
    spot = _spot(owner, depth - 1)
    return None if spot is None else f"{spot}.{name}"


TENSOR_METHODS = frozenset(
    "cpu to numpy data_ptr untyped_storage storage contiguous clone detach numel __eq__".split()
)


@static_rule(
    "lazy-tensor",
    "suspicious",
    "Returns what computes later",
    "A tensor with __torch_function__ or __torch_dispatch__, with methods of its own, or "
    "without storage can put the work off until its values are asked for, after the clock "
    "has stopped.",
    catches="H15 H16",
)
def lazy_tensor(source: Source) -> Iterator[Hit]:
    """Find tensors that compute when they are looked at."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef):
            if node.name in ("__torch_function__", "__torch_dispatch__"):
                yield hit_at(node, f"defines {node.name}")
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if node.attr == "__class__":
                yield hit_at(node, "changes the class of an object")
            yield from _own_method(source, node, node.value, node.attr)
        elif isinstance(node, ast.Call) and "builtins.setattr" in source.paths(node.func):
            if len(node.args) > 1:
                name = source.text(node.args[1]) or ""
                yield from _own_method(source, node, node.args[0], name)


def _own_method(source: Source, node: ast.AST, owner: ast.expr, name: str) -> Iterator[Hit]:
    if name in TENSOR_METHODS and not is_self(owner) and not source.paths(owner):
        yield hit_at(node, f"replaces the method {name} of an object")


HARMLESS_ERRORS = frozenset(
    f"builtins.{name}"
    for name in "ImportError ModuleNotFoundError OSError FileNotFoundError FileExistsError".split()
)


@static_rule(
    "silent-fallback",
    "suspicious",
    "Falls back to torch after an error",
    "A kernel that failed to build or run is replaced by torch without a word, so what is "
    "measured isn't the kernel.",
    catches="H03 H05",
)
def silent_fallback(source: Source) -> Iterator[Hit]:
    """Find errors in `forward` that lead to torch computing the result."""
    failed = set(_failure_marks(source))
    for node in source.nodes:
        if isinstance(node, ast.With):
            if any(_suppresses(source, item.context_expr) for item in node.items):
                yield hit_at(node, "goes on after an error")
        elif not source.is_within(node, source.reachable):
            continue
        elif isinstance(node, ast.ExceptHandler) and _computes(source, node.body):
            yield hit_at(node, "computes something else after an error")
        elif isinstance(node, ast.If | ast.IfExp):
            if failed & {_spot(part) for part in ast.walk(node.test)}:
                yield hit_at(node, "computes something else where a build failed")


def _suppresses(source: Source, node: ast.expr) -> bool:
    """Whether a with-item lets more errors pass than a missing module or file."""
    if not isinstance(node, ast.Call) or "contextlib.suppress" not in source.paths(node.func):
        return False
    kinds = {path for argument in node.args for path in source.paths(argument)}
    return source.is_within(node, source.forward) or not kinds or not kinds <= HARMLESS_ERRORS


def _computes(source: Source, body: list[ast.stmt]) -> bool:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                return True
            if isinstance(node, ast.Call) and _is_compute(source, node):
                return True
    return False


def _is_compute(source: Source, node: ast.Call) -> bool:
    if below_any(source.paths(node.func), ("torch",)):
        return True
    if not isinstance(node.func, ast.Attribute):
        return False
    inner = node.func.value
    is_super = isinstance(inner, ast.Call) and "builtins.super" in source.paths(inner.func)
    return is_super or is_self(inner) or (is_self(_root(inner)) and node.func.attr == "forward")


def _failure_marks(source: Source) -> Iterator[str]:
    """Yield places that are set to None or False where anything but an import failed."""
    for node in source.nodes:
        if not isinstance(node, ast.Try) or source.is_within(node, source.forward):
            continue
        if all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in node.body):
            continue
        for handler in node.handlers:
            for statement in handler.body:
                if isinstance(statement, ast.Assign) and _is_off(statement.value):
                    yield from (s for s in map(_spot, statement.targets) if s is not None)


def _is_off(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, False)
