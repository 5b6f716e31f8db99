"""Rules: the expressions of a traced graph that each library kernel can compute.

A rule is a pattern, a condition on what it bound, and the call that replaces it. Float32 is checked
for every tensor that a kernel reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from kernelwright.agents.offline.graph import Attribute, Graph, Inverse, Node, Ref
from kernelwright.agents.offline.match import Bindings, Op, Var, match

X, W, B = Var("x"), Var("w"), Var("b")


class KernelCall(NamedTuple):
    """A call of a library kernel's wrapper."""

    arguments: tuple[Any, ...]
    """Ref for a tensor or a number of the caller's, else a Python value."""
    results: tuple[str, ...]
    """Names of the nodes that the call's results stand for, in order."""


class KernelRule(NamedTuple):
    """One pattern that one kernel computes."""

    kernel: str
    pattern: Op
    call: Callable[[Graph, Node, Bindings], KernelCall | None]
    """Returns None where the kernel can't do the bound values."""


class Found(NamedTuple):
    """A place in a graph where a kernel fits."""

    kernel: str
    call: KernelCall
    covered: frozenset[str]


def find(graph: Graph, root: Node) -> Found | None:
    """Return the place of the first rule that fits with its end at `root`; None if none fits.

    Nothing outside the place may need its inner nodes.
    """
    if root.dtype not in (None, "float32"):
        return None
    for rule in KERNEL_RULES:
        found = match(graph, root, rule.pattern)
        call = rule.call(graph, root, found.bindings) if found else None
        if found is None or call is None:
            continue
        covered = found.covered | set(call.results)
        if _is_closed(graph, covered, set(call.results) | {root.name}) and _all_float(graph, call):
            return Found(rule.kernel, call, covered)
    return None


def _is_closed(graph: Graph, covered: frozenset[str], results: set[str]) -> bool:
    inner = covered - results
    return all(graph.users[name] <= covered for name in inner)


def _all_float(graph: Graph, call: KernelCall) -> bool:
    tensors = [a for a in call.arguments if isinstance(a, Ref) and not graph.is_number(a)]
    dtypes = {graph[tensor].dtype for tensor in tensors}
    return dtypes <= {"float32", "int64", "uint8"} and "float32" in dtypes


def argument_of(node: Node, index: int, name: str, default: Any) -> Any:
    """Return an argument that is given by place or by name."""
    return node.args[index] if len(node.args) > index else node.kwargs.get(name, default)


def _is_last(graph: Graph, x: Ref, dim: int) -> bool:
    shape = graph[x].shape or ()
    return len(shape) > 0 and dim in (-1, len(shape) - 1)


def _over_last(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    plain = root.kwargs.get("dtype") is None and len(root.args) == 2
    return (
        KernelCall((b["x"],), (root.name,)) if plain and _is_last(graph, b["x"], b["dim"]) else None
    )


def _layer_norm(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    weight, bias = argument_of(root, 2, "weight", None), argument_of(root, 3, "bias", None)
    eps = argument_of(root, 4, "eps", 1e-5)
    return KernelCall((b["x"], weight, bias, eps, len(b["sizes"])), (root.name,))


def _group_norm(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    weight, bias = argument_of(root, 2, "weight", None), argument_of(root, 3, "bias", None)
    eps = argument_of(root, 4, "eps", 1e-5)
    return KernelCall((b["x"], graph.scalar(b["groups"]), weight, bias, eps), (root.name,))


def _instance_norm(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    weight, bias, mean, variance, from_input = root.args[1:6]
    shape = graph[b["x"]].shape
    if mean is not None or variance is not None or not from_input or not shape or len(shape) < 3:
        return None
    return KernelCall((b["x"], graph.scalar(shape[1]), weight, bias, root.args[7]), (root.name,))


def _cross_entropy(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    weight, reduction = argument_of(root, 2, "weight", None), argument_of(root, 3, "reduction", 1)
    ignore = argument_of(root, 4, "ignore_index", -100)
    smoothing = argument_of(root, 5, "label_smoothing", 0.0)
    plain = weight is None and reduction == 1 and smoothing == 0.0
    rows = len(graph[b["x"]].shape or ()) == 2 and graph[b["t"]].dtype == "int64"
    return KernelCall((b["x"], b["t"], ignore), (root.name,)) if plain and rows else None


def _depthwise(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    bias, stride = argument_of(root, 2, "bias", None), argument_of(root, 3, "stride", [1, 1])
    padding = argument_of(root, 4, "padding", [0, 0])
    dilation = argument_of(root, 5, "dilation", [1, 1])
    groups, shape, weight = argument_of(root, 6, "groups", 1), graph[b["x"]].shape, graph[b["w"]]
    square = all(isinstance(v, list) and len(set(v)) == 1 for v in (stride, padding, dilation))
    if not square or shape is None or len(shape) != 4 or weight.shape is None:
        return None
    if groups == 1 or groups != shape[1] or weight.shape[1] != 1:
        return None
    return KernelCall((b["x"], b["w"], bias, stride[0], padding[0], dilation[0]), (root.name,))


def _topk(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    dim, largest = argument_of(root, 2, "dim", -1), argument_of(root, 3, "largest", True)
    ordered = argument_of(root, 4, "sorted", True)
    if not (_is_last(graph, b["x"], dim) and largest and ordered):
        return None
    return KernelCall((b["x"], graph.scalar(b["k"])), tuple(items(graph, root, 2)))


def items(graph: Graph, root: Node, count: int) -> list[str]:
    """Return the names of a tuple's getitem nodes, with a made-up name for an unused one."""
    names = [f"{root.name}_{index}" for index in range(count)]
    for user in graph.users[root.name]:
        if user in graph.nodes and "getitem" in graph.nodes[user].target:
            names[graph.nodes[user].args[1]] = user
    return names


def _linear_gelu(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    linear = graph[b["linear"]]
    bias = argument_of(linear, 2, "bias", None)
    tanh = argument_of(root, 1, "approximate", "none") == "tanh"
    return KernelCall((b["x"], b["w"], bias, tanh), (root.name,))


def _rms_norm(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    shape = graph[b["x"]].shape
    weight = b.get("w")
    if not _is_last(graph, b["x"], b["dim"][0]) or len(b["dim"]) != 1 or shape is None:
        return None
    if weight is not None and (graph.is_number(weight) or graph[weight].shape != shape[-1:]):
        return None
    added = graph[b["x"]]
    early = _used_before(graph, added, root)
    if added.target == "aten.add.Tensor" and _plain_residual(graph, added) and not early:
        return KernelCall((*added.args, weight, b["eps"]), (root.name, added.name))
    return KernelCall((b["x"], None, weight, b["eps"]), (root.name,))


def _used_before(graph: Graph, node: Node, root: Node) -> bool:
    """Whether something outside `root`'s own computation needs `node` before `root` is there."""
    order = list(graph.nodes)
    before = set(order[: order.index(root.name)])
    inner = {root.name}
    for name in reversed(order[: order.index(root.name)]):
        if graph.users[name] and graph.users[name] <= inner:
            inner.add(name)
    return bool((graph.users[node.name] & before) - inner)


def _plain_residual(graph: Graph, added: Node) -> bool:
    tensors = [graph[a] for a in added.args if isinstance(a, Ref)]
    return len(tensors) == 2 and all(t.shape == added.shape for t in tensors) and not added.kwargs


def _native_rms_norm(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    weight, eps = argument_of(root, 2, "weight", None), argument_of(root, 3, "eps", None)
    if eps is None or len(b["sizes"]) != 1:
        return None
    return KernelCall((b["x"], None, weight, eps), (root.name,))


def _rope(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    if graph.is_number(b["cos"]) or graph.is_number(b["sin"]):
        return None
    shape, table = graph[b["x"]].shape, graph[b["cos"]].shape
    fits = shape is not None and table == shape[-2:] and graph[b["sin"]].shape == table
    return KernelCall((b["x"], b["cos"], b["sin"]), (root.name,)) if fits else None


def _sliced_rope(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    shape = graph[b["x"]].shape or (1,)
    half = shape[-1] // 2
    halves = b["from"] == half and b["to"] == half and shape[-1] == 2 * half
    last = all(_is_last(graph, b["x"], b[name]) for name in ("d1", "d2"))
    return _rope(graph, root, b) if halves and last else None


def _int4(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    x, packed, scales = graph[b["x"]].shape, graph[b["packed"]].shape, graph[b["scales"]].shape
    if x is None or packed is None or scales is None or graph[b["packed"]].dtype != "uint8":
        return None
    fits = x[-1] == 2 * packed[1] and b["sizes"][:2] == list(scales)
    zeros = graph[b["zeros"]].shape == scales
    whole_bytes = (x[-1] // scales[1]) % 2 == 0
    if not (fits and zeros and whole_bytes):
        return None
    return KernelCall((b["x"], b["packed"], b["scales"], b["zeros"]), (root.name,))


def _attention(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    q, k, v = (graph[b[name]].shape for name in "qkv")
    if q is None or k is None or v is None or len(q) < 3:
        return None
    scale = b["scale"]
    if not graph.is_number(scale) or not _is_last(graph, b["scores"], b["dim"]):
        return None
    same = q[:-2] == k[:-2] == v[:-2] and k == v and q[-1] == k[-1]
    swapped = {b["t1"] % len(q), b["t2"] % len(q)} == {len(q) - 1, len(q) - 2}
    divided = "div" in graph[b["scaled"]].target
    factor = _scale(_inverse(scale) if divided else scale, q)
    return KernelCall((b["q"], b["k"], b["v"], factor), (root.name,)) if same and swapped else None


def _inverse(number: Any) -> Any:
    return Inverse(number) if isinstance(number, (Ref, Attribute)) else 1.0 / number


def _scale(factor: Any, q: tuple[int, ...]) -> Any:
    """Return the factor; None, the wrapper's own default, where it is known as 1 / sqrt(dim)."""
    if not isinstance(factor, (int, float)):
        return factor
    return None if math.isclose(factor, q[-1] ** -0.5, rel_tol=1e-12) else float(factor)


def _sdpa(graph: Graph, root: Node, b: Bindings) -> KernelCall | None:
    mask, dropout = argument_of(root, 3, "attn_mask", None), argument_of(root, 4, "dropout_p", 0.0)
    causal, scale = argument_of(root, 5, "is_causal", False), root.kwargs.get("scale")
    q, k, v = (graph[b[name]].shape for name in "qkv")
    if mask is not None or dropout != 0.0 or q is None or k is None or len(q) < 3:
        return None
    if not (q[:-2] == k[:-2] and k == v and q[-1] == k[-1]) or (causal and q != k):
        return None
    factor = None if scale is None else _scale(scale, q)
    return KernelCall((b["q"], b["k"], b["v"], factor, causal), (root.name,))


def _rotated(first: Any, second: Any) -> Op:
    halves = Op("cat.default", [Op("neg.default", second), first], -1)
    return Op(
        "add.Tensor",
        Op("mul.Tensor", X, Var("cos")),
        Op("mul.Tensor", halves, Var("sin")),
    )


class _Half(Op):
    """An item of `chunk(x, 2, -1)`."""

    def __init__(self, index: int) -> None:
        super().__init__("", Op("chunk.default", X, 2, -1), index)
        self.targets = frozenset({"<built-in function getitem>"})


_NIBBLES = Op(
    "stack.default",
    [Op("__and__.Scalar", Var("packed"), 15), Op("__rshift__.Scalar", Var("packed"), 4)],
    -1,
)
_LEVELS = Op(
    "to.dtype|_to_copy.default", Op("reshape.default|view.default", _NIBBLES, Var("sizes"))
)
_WEIGHT = Op(
    "mul.Tensor",
    Op("sub.Tensor", _LEVELS, Op("unsqueeze.default", Var("zeros"), 2)),
    Op("unsqueeze.default", Var("scales"), 2),
)
_INVERSE = Op(
    "rsqrt.default",
    Op(
        "add.Tensor",
        Op("mean.dim", Op("pow.Tensor_Scalar", X, 2), Var("dim"), True),
        Var("eps"),
    ),
)
_SCORES = Op(
    "div.Tensor|mul.Tensor",
    Op(
        "matmul.default",
        Var("q"),
        Op("transpose.int", Var("k"), Var("t1"), Var("t2")),
        bind="scores",
    ),
    Var("scale"),
    bind="scaled",
)

KERNEL_RULES = (
    KernelRule(
        "attention",
        Op("matmul.default", Op("softmax.int", _SCORES, Var("dim")), Var("v")),
        _attention,
    ),
    KernelRule(
        "attention",
        Op("scaled_dot_product_attention.default", Var("q"), Var("k"), Var("v")),
        _sdpa,
    ),
    KernelRule(
        "int4_gemv",
        Op(
            "matmul.default",
            X,
            Op("numpy_T.default|t.default", Op("flatten.using_ints", _WEIGHT, 1)),
        ),
        _int4,
    ),
    KernelRule(
        "linear_gelu",
        Op("gelu.default", Op("linear.default", X, W, bind="linear")),
        _linear_gelu,
    ),
    KernelRule("rms_norm", Op("mul.Tensor", Op("mul.Tensor", X, _INVERSE), W), _rms_norm),
    KernelRule("rms_norm", Op("mul.Tensor", X, _INVERSE), _rms_norm),
    KernelRule("rms_norm", Op("rms_norm.default", X, Var("sizes")), _native_rms_norm),
    KernelRule("rope", _rotated(_Half(0), _Half(1)), _rope),
    KernelRule(
        "rope",
        _rotated(
            Op("slice.Tensor", X, Var("d1"), 0, Var("to")),
            Op("slice.Tensor", X, Var("d2"), Var("from")),
        ),
        _sliced_rope,
    ),
    KernelRule("softmax", Op("softmax.int", X, Var("dim")), _over_last),
    KernelRule("cumsum", Op("cumsum.default", X, Var("dim")), _over_last),
    KernelRule("layer_norm", Op("layer_norm.default", X, Var("sizes")), _layer_norm),
    KernelRule("group_norm", Op("group_norm.default", X, Var("groups")), _group_norm),
    KernelRule("group_norm", Op("instance_norm.default", X), _instance_norm),
    KernelRule("cross_entropy", Op("cross_entropy_loss.default", X, Var("t")), _cross_entropy),
    KernelRule("depthwise_conv2d", Op("conv2d.default", X, W), _depthwise),
    KernelRule("topk", Op("topk.default", X, Var("k")), _topk),
)
