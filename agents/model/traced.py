"""A traced graph as a model is told it: its operations in lines, its operator class, its types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelwright.agents.offline.expressions import is_elementwise
from kernelwright.agents.offline.graph import (
    GETITEM,
    Attribute,
    Code,
    Graph,
    Node,
    Ref,
    Unknown,
    short,
)
from kernelwright.agents.offline.kernel_rules import find

MOST_LINES, LAST_LINES = 30, 8
MOST_CHARACTERS = 200
OPERATORS: Mapping[str, frozenset[str]] = {
    name: frozenset(f"aten.{operator}" for operator in operators.split())
    for name, operators in {
        "attention": "scaled_dot_product_attention",
        "convolution": "conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d "
        "conv_transpose3d",
        "matmul": "mm bmm addmm addbmm baddbmm matmul linear dot mv addmv einsum outer",
        "loss": "cross_entropy_loss nll_loss nll_loss_nd mse_loss l1_loss smooth_l1_loss "
        "huber_loss kl_div binary_cross_entropy binary_cross_entropy_with_logits "
        "triplet_margin_loss hinge_embedding_loss cosine_embedding_loss",
        "normalization": "layer_norm group_norm batch_norm instance_norm rms_norm "
        "_native_batch_norm_legit_functional native_layer_norm native_group_norm",
        "softmax": "softmax log_softmax _softmax _log_softmax",
        "scan": "cumsum cumprod logcumsumexp cummax cummin",
        "selection": "topk sort argsort kthvalue",
        "pooling": "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d "
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d "
        "max_pool2d_with_indices",
        "reduction": "sum mean amax amin max min prod argmax argmin var std norm logsumexp all any",
    }.items()
}
"""Operator class -> operators that make a graph one of it; the first class that is there counts."""
HEAVY = ("attention", "convolution", "matmul")
"""Classes that are told by their operators before anything else: they take most of the time."""
KERNEL_CLASSES = {"rope": "position_embedding", "int4_gemv": "quantized_matmul"}
"""Classes that no single operator tells: library kernels that compute all of them."""


def lines(graph: Graph) -> tuple[str, ...]:
    """Return inputs, parameters and operations in order; of a long graph the beginning and end."""
    found = [_line(node)[:MOST_CHARACTERS] for node in graph.nodes.values()]
    found += [f"{name} becomes buffer {buffer}" for name, buffer in graph.mutated.items()]
    found.append(f"return {_argument(graph.results)}")
    if len(found) > MOST_LINES:
        left_out = len(found) - MOST_LINES + 1
        first = found[: MOST_LINES - LAST_LINES - 1]
        found = [*first, f"... {left_out} more lines ...", *found[-LAST_LINES:]]
    return tuple(found)


def dtypes(graph: Graph) -> tuple[str, ...]:
    """Return the types of the elements of inputs, parameters and buffers."""
    given = (node.dtype for node in graph.nodes.values() if node.op == "placeholder")
    return tuple(sorted({dtype for dtype in given if dtype is not None}))


def category(graph: Graph) -> str | None:
    """Return the operator class of a graph, as `task.toml` would name it; None for none of them.

    A convolution that mixes channels is `dense_convolution`: it is written like a product.
    """
    nodes = [node for node in graph.nodes.values() if node.op == "call_function"]
    names = [short(node.target) for node in nodes]
    places = {found.kernel for node in reversed(nodes) if (found := find(graph, node))}
    for kernel, name in KERNEL_CLASSES.items():
        if kernel in places:
            return name
    known = [name for name, operators in OPERATORS.items() if operators.intersection(names)]
    if "convolution" in known and "attention" not in known:
        mixes = any(_mixes_channels(graph, n) for n in nodes if "conv" in n.target)
        return "dense_convolution" if mixes else "convolution"
    products = sum(name in OPERATORS["matmul"] for name in names)
    if products > 1 and "softmax" in known and "attention" not in known:
        return "attention"
    if not set(HEAVY).intersection(known) and _normalizes(names):
        return "normalization"
    if known:
        return known[0]
    is_plain = bool(nodes) and all(is_elementwise(graph, node) for node in nodes)
    return "elementwise" if is_plain else None


def _mixes_channels(graph: Graph, node: Node) -> bool:
    weight = node.args[1] if len(node.args) > 1 else None
    shape = graph[weight].shape if isinstance(weight, Ref) else None
    return shape is None or len(shape) < 2 or shape[1] != 1


def _normalizes(names: list[str]) -> bool:
    """Whether a mean and a root are there: a norm that is written out."""
    return "aten.mean" in names and not {"aten.rsqrt", "aten.sqrt"}.isdisjoint(names)


def _line(node: Node) -> str:
    typed = _type(node)
    if node.attribute is not None:
        return f"{node.name}: parameter or buffer {node.attribute}, {typed}"
    if node.constant is not None:
        return f"{node.name}: constant {node.constant['elements']}, {typed}"
    if node.op == "placeholder":
        return f"{node.name}: input, {typed or 'a number'}"
    if node.target == GETITEM:
        called = f"{_argument(node.args[0])}[{node.args[1]}]"
    else:
        named = (f"{key}={_argument(value)}" for key, value in node.kwargs.items())
        called = f"{short(node.target)}({', '.join([*map(_argument, node.args), *named])})"
    return f"{node.name} = {called}" + (f" -> {typed}" if typed else "")


def _type(node: Node) -> str:
    if node.shape is None:
        return ""
    strides = "" if node.is_contiguous else f" strides {list(node.strides or ())}"
    return f"{node.dtype}{list(node.shape)}{strides}"


def _argument(value: Any) -> str:
    match value:
        case Ref(name):
            return name
        case Attribute(name):
            return f"self.{name}"
        case Code(text):
            return text
        case Unknown(kind):
            return f"<{kind}>"
        case list():
            return f"[{', '.join(map(_argument, value))}]"
        case tuple():
            return f"({', '.join(map(_argument, value))})"
        case dict():
            return f"{{{', '.join(f'{key!r}: {_argument(one)}' for key, one in value.items())}}}"
    return repr(value)
