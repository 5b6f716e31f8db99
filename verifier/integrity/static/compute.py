"""Static rules on which code computes, and how precisely."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kernelwright.verifier.integrity.rule import static_rule
from kernelwright.verifier.integrity.static.hits import Hit, below, hit_at
from kernelwright.verifier.integrity.static.patterns import OPERATORS, WORK_METHODS, WORK_PACKAGES
from kernelwright.verifier.integrity.static.source import Source, is_self

HALF = re.compile(
    r"torch\.(half|float16|bfloat16|float8_\w+|float4_\w+|qint8|quint8|HalfTensor|BFloat16Tensor)"
    r"|numpy\.(float16|half)"
)
CASTS = frozenset({"to", "type", "astype"})
MAKERS = re.compile(r"torch\.(empty|zeros|ones|full|tensor|as_tensor|set_default_dtype)(_like)?")


@static_rule(
    "precision-cast",
    "suspicious",
    "Casts to a lower precision",
    "Half-precision types, autocast, quantisation or TF32 switches in the text. Right "
    "where the task's tensors are of that type, which the text alone does not tell.",
    catches="H66 H68",
)
def precision_cast(source: Source) -> Iterator[Hit]:
    """Find casts to a half-precision type, and switches that let torch do it."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            yield from _casts(source, node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _allows_tf32(source, target, node.value)


def _casts(source: Source, node: ast.Call) -> Iterator[Hit]:
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    called = source.paths(node.func)
    arguments = [*node.args, *(word.value for word in node.keywords)]
    types = sorted(p for a in arguments for p in source.paths(a) if HALF.fullmatch(p))
    if method in ("half", "bfloat16") and not called and not node.args:
        yield hit_at(node, f"casts with .{method}()")
    elif types and ((method in CASTS and not called) or any(map(MAKERS.fullmatch, called))):
        yield hit_at(node, f"makes a {types[0]}")
    elif "torch.set_float32_matmul_precision" in called and node.args:
        if source.text(node.args[0]) != "highest":
            yield hit_at(node, "lowers the precision of matmul")


def _allows_tf32(source: Source, target: ast.expr, value: ast.expr) -> Iterator[Hit]:
    if not isinstance(target, ast.Attribute) or not source.paths(target):
        return
    off = isinstance(value, ast.Constant) and value.value in (False, "ieee", "none")
    if "allow_" in target.attr or target.attr == "fp32_precision":
        if not off:
            yield hit_at(target, f"sets {target.attr}")


@static_rule(
    "library-call",
    "info",
    "Calls torch's own operators",
    "Operators, layers, `@`, or BLAS calls in Python or C++ do work that others wrote. "
    "Fine under the policy `any`; under `custom` the rule no-custom-code decides by "
    "measuring. Not reported for the backends torch and inductor.",
    catches="H01 H02 H03 H04",
)
def library_call(source: Source) -> Iterator[Hit]:
    """Find operators of torch that do the work of a task."""
    layers = _layers(source)
    for node in source.nodes:
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            yield hit_at(node, "@")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if is_self(node.func.value) and node.func.attr in layers:
                yield hit_at(node, f"calls a layer, {layers[node.func.attr]}")
            elif node.func.attr in WORK_METHODS and not source.paths(node.func):
                yield hit_at(node, f".{node.func.attr}()")
    for node, path in source.used():
        if below(path, WORK_PACKAGES) or path.removeprefix("torch.") in OPERATORS:
            if path.startswith("torch."):
                yield hit_at(node, path)


def _layers(source: Source) -> dict[str, str]:
    """Return the attributes of self that hold a module of torch.nn, with its path."""
    found = {}
    for node in source.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            paths = [p for p in source.paths(node.value.func) if p.startswith("torch.nn.")]
            for target in node.targets:
                if paths and isinstance(target, ast.Attribute):
                    found[target.attr] = paths[0]
    return {name: path for name, path in found.items() if not path.endswith("Parameter")}
