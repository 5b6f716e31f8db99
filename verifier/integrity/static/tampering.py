"""Static rules on what a candidate replaces, hides, and needn't touch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kernelwright.verifier.integrity.rule import static_rule
from kernelwright.verifier.integrity.static.hits import (
    Hit,
    below,
    below_any,
    hit_at,
    telling_strings,
)
from kernelwright.verifier.integrity.static.patterns import RANDOM_STATE
from kernelwright.verifier.integrity.static.source import Source

SETTINGS = (
    "torch._inductor.config",
    "torch._dynamo.config",
    "torch._functorch.config",
    "torch.backends",
    "sys.dont_write_bytecode",
)
"""Settings that honest candidates assign; precision-cast and settings-changed look at these."""
SETTERS = ("builtins.setattr", "builtins.delattr", "builtins.object.__setattr__")
PATCHERS = (
    "unittest.mock",
    "importlib.reload",
    "torch.nn.modules.module.register_module_forward_hook",
    "torch.nn.modules.module.register_module_forward_pre_hook",
)
DICT_WRITES = ("update", "setdefault", "pop", "__setitem__", "clear")
CODE = ("__code__", "__closure__", "__globals__", "__defaults__", "__kwdefaults__")


@static_rule(
    "monkeypatch",
    "suspicious",
    "Replaces parts of torch or Python",
    "Assigns to attributes of an imported module, by name, setattr or its dictionary, or "
    "takes over operators of aten. Judges that compare and time in the candidate's own "
    "process fall for it; this one doesn't, but a kernel has no reason to do it.",
    catches="H16 H38 H39 H49 H50 H52",
)
def monkeypatch(source: Source) -> Iterator[Hit]:
    """Find assignments into modules, however they are written."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield from _replaced(node, {f"{p}.{node.attr}" for p in source.paths(node.value)})
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from _replaced_item(source, node)
        elif isinstance(node, ast.Call):
            yield from _replaced_by_call(source, node)


def _replaced(node: ast.AST, paths: set[str]) -> Iterator[Hit]:
    for path in sorted(paths):
        if not below(path, SETTINGS):
            yield hit_at(node, f"replaces {path}")


def _replaced_item(source: Source, node: ast.Subscript) -> Iterator[Hit]:
    key = source.text(node.slice)
    for path in sorted(source.paths(node.value)):
        # Loading a built extension puts it into sys.modules under a computed name.
        if path.endswith(".__dict__") or (path == "sys.modules" and key is not None):
            yield hit_at(node, f"replaces {key or 'an entry'} of {path}")


def _replaced_by_call(source: Source, node: ast.Call) -> Iterator[Hit]:
    called = source.paths(node.func)
    if called & set(SETTERS) and len(node.args) > 1:
        name = source.text(node.args[1]) or "something"
        yield from _replaced(node, {f"{path}.{name}" for path in source.paths(node.args[0])})
    for path in sorted(called):
        owner, _, method = path.rpartition(".")
        is_dict = owner.endswith(".__dict__") or owner == "sys.modules"
        if method == "__setattr__" and owner not in ("builtins.object", "builtins.type"):
            yield hit_at(node, f"replaces an attribute of {owner}")
        elif below(path, PATCHERS) or (is_dict and method in DICT_WRITES):
            yield hit_at(node, f"calls {path}")
    if below_any(called, ("torch.library.Library", "torch.library.impl")) and node.args:
        name = source.text(node.args[0]) or ""
        if name.split("::")[0] == "aten":
            yield hit_at(node, "replaces operators of aten")


@static_rule(
    "dynamic-code",
    "suspicious",
    "Runs code that its text doesn't show",
    "exec, eval, compile, decoded or unpickled payloads, imports and attributes whose "
    "names are put together, dlopen. A reader, and every other static rule, sees nothing "
    "of it.",
    catches="H35 H39 H58",
)
def dynamic_code(source: Source) -> Iterator[Hit]:
    """Find names that are put together, and code objects that are replaced."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if node.attr in CODE:
                yield hit_at(node, f"replaces {node.attr} of a function")
        elif isinstance(node, ast.Call):
            yield from _hidden_name(source, node)


def _hidden_name(source: Source, node: ast.Call) -> Iterator[Hit]:
    called = source.paths(node.func)
    if called & {"builtins.__import__", "importlib.import_module"}:
        if node.args and source.text(node.args[0]) is None:
            yield hit_at(node, "imports a module whose name is computed")
        elif node.args and _is_assembled(source, node.args[0]):
            yield hit_at(node, "imports a module whose name is put together")
    if called & {"builtins.getattr", *SETTERS} and len(node.args) > 1:
        if _is_assembled(source, node.args[1]):
            yield hit_at(node, "uses an attribute whose name is put together")


def _is_assembled(source: Source, node: ast.expr) -> bool:
    made = isinstance(node, ast.BinOp | ast.Call | ast.Subscript)
    return made and source.text(node, follow=False) is not None


@static_rule(
    "guard-evasion",
    "suspicious",
    "Gets around memory checks",
    "Sanitizer hooks and options, page protection, the C library by hand, LD_PRELOAD: "
    "ways to hide a memory error, or to change the runtime below Python.",
    catches="H39 H63 H71",
)
def guard_evasion(source: Source) -> Iterator[Hit]:
    """Find settings of the dynamic loader and the sanitizers, and the C library by hand."""
    yield from telling_strings(source, "guard-evasion")
    for node in source.nodes:
        if not isinstance(node, ast.Call) or "ctypes.CDLL" not in source.paths(node.func):
            continue
        name = node.args[0] if node.args else ast.Constant(None)
        is_own = isinstance(name, ast.Constant) and name.value is None
        if is_own or (source.text(name) or "").startswith("libc.so"):
            yield hit_at(node, "calls the C library by hand")


@static_rule(
    "random-state",
    "suspicious",
    "Sets or reads random states in forward",
    "Seeds lead to inputs that can be guessed and computed beforehand. The seeds of a "
    "verdict never reach the worker.",
    catches="H28",
)
def random_state(source: Source) -> Iterator[Hit]:
    """Find seeds and states of random generators inside `forward`."""
    for node, path in source.used():
        if below(path, RANDOM_STATE) and source.is_within(node, source.reachable):
            yield hit_at(node, f"uses {path}")


@static_rule(
    "thread-count",
    "suspicious",
    "Changes the number of threads",
    "Threads and cores are part of the comparison: both sides get the same.",
    catches="H44",
)
def thread_count(source: Source) -> Iterator[Hit]:
    """Find assignments of the environment's number of threads."""
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            name = source.text(node.slice) or ""
            if "os.environ" in source.paths(node.value) and name.endswith("_NUM_THREADS"):
                yield hit_at(node, f"sets {name}")
