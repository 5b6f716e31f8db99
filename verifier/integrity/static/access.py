"""Static rules on what a candidate starts and opens."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.integrity.rule import static_rule
from kernelwright.verifier.integrity.static.hits import Hit, below_any, hit_at, telling_strings
from kernelwright.verifier.integrity.static.patterns import BUILD_VARIABLES, COMPILERS
from kernelwright.verifier.integrity.static.source import Source

RUNNERS = re.compile(
    r"subprocess\.(run|call|check_call|check_output|Popen|getoutput|getstatusoutput)"
    r"|os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?)"
)


@static_rule(
    "process-or-thread",
    "suspicious",
    "Starts threads or processes",
    "Threads of its own, forks, and programs other than compilers can work outside the "
    "time that is measured. OpenMP's teams end with the loop and are not meant.",
    catches="H10 H34 H36 H37 H56",
)
def process(source: Source) -> Iterator[Hit]:
    """Find programs that are started and are no compilers."""
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        runners = sorted(path for path in source.paths(node.func) if RUNNERS.fullmatch(path))
        commands = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "args")]
        if runners and not (commands and is_compiler(source, commands[0])):
            yield hit_at(node, f"{runners[0]} starts something else than a compiler")


def is_compiler(source: Source, command: ast.expr) -> bool:
    """Whether every program that a command may mean is a compiler or a harmless tool."""
    found = list(_programs(source, command, 12))
    return bool(found) and all(COMPILERS.fullmatch(name) for name in found)


def _programs(source: Source, node: ast.AST, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    text = source.text(node)
    if text is not None:
        yield from text.split()[:1]
    elif isinstance(node, ast.Name):
        known = [v for v in source.values(node) if isinstance(v, ast.expr)]
        for value in known:
            yield from _programs(source, value, depth - 1)
    elif isinstance(node, ast.Call):
        yield from _called_programs(source, node, depth - 1)
    else:
        for part in _first_parts(source, node):
            yield from _programs(source, part, depth - 1)


def _first_parts(source: Source, node: ast.AST) -> list[ast.expr]:
    """Return the expressions that a command's first word may come from."""
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts[:1]
    if isinstance(node, ast.JoinedStr):
        return node.values[:1]
    if isinstance(node, ast.Starred | ast.FormattedValue | ast.NamedExpr):
        return [node.value]
    if isinstance(node, ast.BinOp):
        return [node.left]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.Subscript):
        environment = "os.environ" in source.paths(node.value)
        return (
            [ast.Constant("cc")] if environment and _is_build_variable(source, node.slice) else []
        )
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else []


PASSING = ("shlex.split", "shutil.which", "builtins.str", "builtins.list", "os.fspath")


def _called_programs(source: Source, node: ast.Call, depth: int) -> Iterator[str]:
    called = source.paths(node.func)
    if called & {"os.environ.get", "os.getenv"} and node.args:
        if _is_build_variable(source, node.args[0]):
            yield "cc"
        for default in node.args[1:]:
            yield from _programs(source, default, depth)
    elif called & set(PASSING) and node.args:
        yield from _programs(source, node.args[0], depth)
    elif below_any(called, ("torch.utils.cpp_extension.get_cxx_compiler",)):
        yield "c++"
    elif isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "split"):
        inner = node.args[0] if node.func.attr == "join" and node.args else node.func.value
        yield from _programs(source, inner, depth)


def _is_build_variable(source: Source, node: ast.expr) -> bool:
    return source.text(node) in BUILD_VARIABLES


OPENERS = frozenset({"builtins.open", "io.open", "os.open", "codecs.open"})
SAVERS = frozenset({"torch.save", "numpy.save", "numpy.savez", "pickle.dump", "os.write"})
FILE_METHODS = frozenset({"write_text", "write_bytes", "read_text", "read_bytes", "tofile"})
OUTSIDE = re.compile(r"/(?!tmp/|var/tmp/)|\.\./|~(?!/\.cache/)")


@static_rule(
    "file-or-network",
    "suspicious",
    "Opens files or connections",
    "Sockets, stored tensors, files opened in `forward` or written outside a build "
    "folder, /proc and shared memory: ways to fetch an answer, keep one for the next run, "
    "or forge a result.",
    catches="H10 H23 H24 H25 H27 H54 H55 H76 H78",
)
def files(source: Source) -> Iterator[Hit]:
    """Find files opened inside `forward`, or written at a fixed place outside a build folder."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            what = _file_action(source, node)
            if what and source.is_within(node, source.forward):
                yield hit_at(node, f"{what} in forward")
            elif what and _writes(source, node) and _is_outside(source, node):
                yield hit_at(node, f"{what} outside a build folder")
    yield from telling_strings(source, "file-or-network")


def _file_action(source: Source, node: ast.Call) -> str | None:
    called = source.paths(node.func)
    if called & OPENERS:
        return "opens a file"
    if called & SAVERS:
        return "writes a file"
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return "opens a file" if method in FILE_METHODS and not called else None


def _writes(source: Source, node: ast.Call) -> bool:
    if not source.paths(node.func) & OPENERS:
        return True
    modes = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
    texts = [source.text(mode) for mode in modes]
    return any(text is None or set(text) & set("wax+") for text in texts)


def _is_outside(source: Source, node: ast.Call) -> bool:
    target: ast.AST = node.args[0] if node.args else node
    if isinstance(node.func, ast.Attribute) and not source.paths(node.func):
        target = node.func.value
    while isinstance(target, ast.Call) and target.args:
        target = target.args[0]
    text = source.text(target)
    return text is not None and bool(OUTSIDE.match(text))


IMPORTS = frozenset({"importlib.util.spec_from_file_location", "importlib.import_module"})


@static_rule(
    "reference-class",
    "suspicious",
    "Uses the reference",
    "A class named Model as a base or an instance, or an import or file of the reference "
    "or of this package: the answer would be the reference's own.",
    catches="H06 H07 H25 H50 H76",
)
def reference_class(source: Source) -> Iterator[Hit]:
    """Find the reference's class, wherever it is from, and files and modules named after it."""
    yield from telling_strings(source, "reference-class")
    for node in source.nodes:
        if _names_model(source, node):
            yield hit_at(node, f"uses a class {MODULE.reference}")
        elif isinstance(node, ast.Call) and node.args:
            opens = _file_action(source, node) or source.paths(node.func) & IMPORTS
            if opens and "reference" in (source.text(node.args[0]) or ""):
                yield hit_at(node, "opens the reference")


def _names_model(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id == MODULE.reference and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Attribute):
        return node.attr == MODULE.reference and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Subscript):
        return source.text(node.slice, follow=False) == MODULE.reference
    if isinstance(node, ast.Call) and "builtins.getattr" in source.paths(node.func):
        return len(node.args) > 1 and source.text(node.args[1]) == MODULE.reference
    return isinstance(node, ast.ImportFrom) and any(a.name == MODULE.reference for a in node.names)
