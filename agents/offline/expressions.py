"""Elementwise ATen operators as C++ on eight lanes: what generated kernels compute.

A value is a `v8f` of float32, whatever the tensors' own floating type is, or a `v8i` mask of lanes
for a bool.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from kernelwright.agents.offline.graph import Attribute, Graph, Node, PerChannel, Ref

C_TYPES = {"float32": "float", "bfloat16": "bf16", "float16": "half", "bool": "bool"}
"""Types of tensors that generated kernels read and write."""


NUMBER = re.compile(r"-?\d.*f|s\d+|-?INF|\(INF - INF\)")


class Expression(NamedTuple):
    """An operator as C++."""

    text: Callable[..., str]
    """Makes the expression from those of the arguments; None for an argument that is None."""
    masks: tuple[int, ...] = ()
    """Places of arguments that are masks; the others are numbers."""
    is_mask: bool = False
    """Whether the result is a mask."""
    fits: Callable[[Node], bool] = lambda _node: True
    """Whether it can be computed with these arguments."""


def _call(name: str) -> Expression:
    return Expression(lambda *given: f"{name}({', '.join(given)})")


def _binary(sign: str) -> Expression:
    return Expression(lambda left, right: f"({left} {sign} {right})")


def _scaled(sign: str) -> Expression:
    """Return a sum or difference, the second operand of which may have a factor."""

    def text(left: str, right: str, alpha: str | None = None) -> str:
        return f"({left} {sign} {right if alpha is None else f'{alpha} * {right}'})"

    return Expression(text)


def _comparison(sign: str) -> Expression:
    return Expression(lambda left, right: f"({vector(left)} {sign} {right})", is_mask=True)


def _vectors(name: str, masks: tuple[int, ...] = ()) -> Expression:
    return Expression(lambda *given: f"{name}({', '.join(map(vector, given))})", masks)


def vector(text: str) -> str:
    """Return an expression on lanes: numbers are the same in all."""
    return f"splat({text})" if NUMBER.fullmatch(text) else text


def _power(x: str, exponent: str) -> str:
    return POWERS[float(exponent.removesuffix("f"))].format(x=x)


def _batch_norm(
    x: str, mean: str, variance: str, weight: str | None, bias: str | None, eps: str
) -> str:
    """Return `(x - mean) / sqrt(variance + eps) * weight + bias`; all but x stay in a row."""
    factor = f"(1.0f / root({variance} + {eps}))"
    factor = factor if weight is None else f"({factor} * {weight})"
    value = f"({x} - {mean}) * {factor}"
    return f"({value})" if bias is None else f"({value} + {bias})"


POWERS = {
    2.0: "({x} * {x})",
    3.0: "({x} * {x} * {x})",
    4.0: "(({x} * {x}) * ({x} * {x}))",
    0.5: "root({x})",
    -0.5: "(1.0f / root({x}))",
    -1.0: "(1.0f / {x})",
}
EXPRESSIONS: dict[str, Expression] = {
    "aten.add.Tensor": _scaled("+"),
    "aten.add.Scalar": _scaled("+"),
    "aten.sub.Tensor": _scaled("-"),
    "aten.sub.Scalar": _scaled("-"),
    "aten.rsub.Scalar": Expression(lambda x, number: f"({number} - {x})"),
    "aten.mul.Tensor": _binary("*"),
    "aten.mul.Scalar": _binary("*"),
    "aten.div.Tensor": _binary("/"),
    "aten.div.Scalar": _binary("/"),
    "aten.neg.default": Expression(lambda x: f"(-{x})"),
    "aten.abs.default": _call("absolute"),
    "aten.relu.default": _call("relu"),
    "aten.sigmoid.default": _call("sigmoid"),
    "aten.silu.default": _call("silu"),
    "aten.tanh.default": _call("tanh"),
    "aten.exp.default": _call("exp"),
    "aten.log.default": _call("log"),
    "aten.log1p.default": _call("log1p"),
    "aten.expm1.default": _call("expm1"),
    "aten.erf.default": _call("erf"),
    "aten.mish.default": _call("mish"),
    "aten.sqrt.default": _call("root"),
    "aten.rsqrt.default": Expression(lambda x: f"(1.0f / root({x}))"),
    "aten.reciprocal.default": Expression(lambda x: f"(1.0f / {x})"),
    "aten.hardswish.default": _call("hardswish"),
    "aten.hardsigmoid.default": _call("hardsigmoid"),
    "aten.gelu.default": Expression(
        lambda x, kind="none": f"{'gelu_tanh' if kind == 'tanh' else 'gelu'}({x})"
    ),
    "aten.leaky_relu.default": Expression(lambda x, slope="0.01f": f"leaky_relu({x}, {slope})"),
    "aten.elu.default": Expression(
        lambda x, alpha="1.0f", scale="1.0f", inner="1.0f": f"elu({x}, {alpha}, {scale}, {inner})"
    ),
    "aten.selu.default": Expression(
        lambda x: f"elu({x}, 1.6732632423543772f, 1.0507009873554805f, 1.0f)"
    ),
    "aten.celu.default": Expression(
        lambda x, alpha="1.0f": f"elu({x}, {alpha}, 1.0f, 1.0f / {alpha})"
    ),
    "aten.softplus.default": Expression(
        lambda x, beta="1.0f", threshold="20.0f": f"softplus({x}, {beta}, {threshold})"
    ),
    "aten.log_sigmoid.default": Expression(lambda x: f"(-softplus(-{x}, 1.0f, INF))"),
    "aten.hardtanh.default": Expression(
        lambda x, low="-1.0f", high="1.0f": f"clamp({x}, {low}, {high})"
    ),
    "aten.hardshrink.default": Expression(
        lambda x, size="0.5f": f"(absolute({x}) <= {size} ? splat(0) : {x})"
    ),
    "aten.softshrink.default": Expression(
        lambda x, size="0.5f": f"({x} - clamp({x}, -{size}, {size}))"
    ),
    "aten.threshold.default": Expression(
        lambda x, low, value: f"({x} <= {low} ? splat({value}) : {x})"
    ),
    "aten.clamp.default": Expression(
        lambda x, low=None, high=None: f"clamp({x}, {low or '-INF'}, {high or 'INF'})"
    ),
    "aten.clamp_min.default": Expression(lambda x, low: f"clamp({x}, {low}, INF)"),
    "aten.clamp_max.default": Expression(lambda x, high: f"clamp({x}, -INF, {high})"),
    "aten.relu6.default": Expression(lambda x: f"clamp({x}, 0.0f, 6.0f)"),
    "aten.maximum.default": _vectors("maximum"),
    "aten.max.other": _vectors("maximum"),
    "aten.minimum.default": _vectors("minimum"),
    "aten.min.other": _vectors("minimum"),
    "aten.pow.Tensor_Scalar": Expression(
        _power, fits=lambda node: isinstance(node.args[1], (int, float)) and node.args[1] in POWERS
    ),
    "aten.square.default": Expression(lambda x: f"({x} * {x})"),
    "aten.addcmul.default": Expression(
        lambda x, left, right, value="1.0f": f"({x} + {value} * {left} * {right})"
    ),
    "aten.addcdiv.default": Expression(
        lambda x, left, right, value="1.0f": f"({x} + {value} * {left} / {right})"
    ),
    "aten.lerp.Tensor": Expression(lambda x, end, weight: f"({x} + {weight} * ({end} - {x}))"),
    "aten.lerp.Scalar": Expression(lambda x, end, weight: f"({x} + {weight} * ({end} - {x}))"),
    "aten.to.dtype": Expression(lambda x, *_: x),
    "aten._to_copy.default": Expression(lambda x, *_: x),
    "aten.batch_norm.default": Expression(
        _batch_norm, fits=lambda node: node.args[5] is False and None not in node.args[3:5]
    ),
    "aten.where.self": _vectors("choose", masks=(0,)),
    "aten.where.ScalarOther": _vectors("choose", masks=(0,)),
    "aten.where.ScalarSelf": _vectors("choose", masks=(0,)),
    "aten.masked_fill.Scalar": Expression(
        lambda x, mask, value: f"choose({mask}, {vector(value)}, {x})", masks=(1,)
    ),
    "aten.masked_fill.Tensor": Expression(
        lambda x, mask, value: f"choose({mask}, {vector(value)}, {x})", masks=(1,)
    ),
    "aten.logical_not.default": Expression(lambda x: f"(~{x})", (0,), True),
    "aten.bitwise_not.default": Expression(lambda x: f"(~{x})", (0,), True),
}
for _name in ("logical_and.default", "bitwise_and.Tensor"):
    EXPRESSIONS[f"aten.{_name}"] = Expression(_binary("&").text, (0, 1), True)
for _name in ("logical_or.default", "bitwise_or.Tensor"):
    EXPRESSIONS[f"aten.{_name}"] = Expression(_binary("|").text, (0, 1), True)
SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
for _name, _sign in SIGNS.items():
    for _kind in ("Tensor", "Scalar"):
        EXPRESSIONS[f"aten.{_name}.{_kind}"] = _comparison(_sign)

# Keyword arguments that an expression takes, as further arguments or not at all.
KEYWORDS = frozenset({"approximate", "alpha", "value"})
CASTS = frozenset({"aten.to.dtype", "aten._to_copy.default"})


def arguments(node: Node) -> list[Any]:
    """Return the arguments of a node's expression."""
    if node.target in CASTS:
        return [node.args[0]]
    if node.target == "aten.batch_norm.default":
        x, weight, bias, mean, variance = node.args[:5]
        after = len(node.shape or ()) - 2
        vectors = (mean, variance, weight, bias)
        spread = [None if vector is None else PerChannel(vector, after) for vector in vectors]
        return [x, *spread, node.args[7]]
    return [*node.args, *node.kwargs.values()]


def is_elementwise(graph: Graph, node: Node) -> bool:
    """Whether generated code can compute this node."""
    expression = EXPRESSIONS.get(node.target)
    if expression is None or node.dtype not in C_TYPES or not expression.fits(node):
        return False
    if (node.dtype == "bool") != expression.is_mask:
        return False
    if node.target in CASTS:
        if set(node.kwargs) - {"dtype"} or len(node.args) > 1 + (node.target == "aten.to.dtype"):
            return False
    elif not set(node.kwargs) <= KEYWORDS:
        return False
    given = arguments(node)
    dtypes = [_dtype(graph, value) for value in given]
    if not any(dtypes) or any(isinstance(value, bool) for value in given):
        return False
    return all(
        dtype in C_TYPES and (dtype == "bool" or place not in expression.masks)
        for place, dtype in enumerate(dtypes)
        if dtype is not None
    )


def _dtype(graph: Graph, value: Any) -> str | None:
    """Return a tensor's type; None for a number and for None."""
    if isinstance(value, PerChannel):
        value = value.of
    if isinstance(value, Attribute) or not isinstance(value, Ref) or graph.is_number(value):
        return None
    return graph[value].dtype or "unknown"
