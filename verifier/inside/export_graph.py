"""A tool of the worker: an instance's ATen graph as JSON, by torch.export. Stdlib and torch."""

from __future__ import annotations

from typing import Any

import torch
from torch.export.graph_signature import InputKind
from torch.utils._pytree import tree_map, tree_unflatten

FAILURES = (RuntimeError, TypeError, ValueError, AttributeError, KeyError, AssertionError)
LARGEST_CONSTANT = 64
"""Elements of a constant that is written down."""
IN_TRAINING = {"aten.batch_norm.default": 5, "aten.instance_norm.default": 5}
"""Operators that change buffers where the argument at this place is true, and do not say so."""


def export_graph(
    loaded: dict[str, Any], key: str, slot: int, numbers: dict[str, float]
) -> dict[str, Any]:
    """Return the graph of an instance on a slot's inputs.

    `nodes`: its operations in order. `inputs`: for each leaf of the arguments its node and its path
    from them. `outputs`: the nest of the results. `mutated`: buffers that the call changes, by the
    node that they become. `changes_inputs`: whether it changes its arguments. `scalars`: numbers
    that the module holds.

    Args:
        numbers: set in the module before, by dotted name.
    """
    model, inputs = loaded[key].model, tuple(loaded[key].slots[slot])
    for name, value in numbers.items():
        path, _, own = name.rpartition(".")
        setattr(model.get_submodule(path), own, value)
    return {**described(exported(model, inputs), model), "scalars": scalars(model)}


def exported(model: torch.nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Export a module with every size free where that works, and without in-place operators."""

    def free(value: Any) -> Any:
        is_tensor = isinstance(value, torch.Tensor)
        return dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) if is_tensor else None

    def once(shapes: Any) -> Any:
        program = torch.export.export(model, inputs, dynamic_shapes=shapes, strict=False)
        is_functional = not any(map(writes, program.graph.nodes))
        return program if is_functional else program.run_decompositions({})

    try:
        return once(tree_map(free, inputs))
    except FAILURES:
        return once(None)


def writes(node: Any) -> bool:
    """Whether an operation changes one of its arguments."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    place = IN_TRAINING.get(str(node.target))
    return node.target._schema.is_mutable or (place is not None and node.args[place] is True)


def scalars(model: torch.nn.Module) -> dict[str, float]:
    """Numbers that the module and its parts hold, by dotted name."""
    return {
        f"{path}.{name}" if path else name: value
        for path, part in model.named_modules()
        for name, value in vars(part).items()
        if type(value) in (int, float) and not name.startswith("_")
    }


def described(program: Any, model: torch.nn.Module) -> dict[str, Any]:
    """An exported program as JSON."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    lifted = signature.inputs_to_lifted_tensor_constants
    given = [s.arg.name for s in signature.input_specs if s.kind is InputKind.USER_INPUT]
    paths = input_paths(tree_unflatten(list(range(len(given))), program.call_spec.in_spec)[0])
    nodes = [described_node(node, names) for node in program.graph.nodes]
    for entry in nodes:
        if entry["name"] in lifted:
            name = lifted[entry["name"]]
            entry |= constant(model, name, program.constants[name])
    mutated = dict(signature.buffers_to_mutate)
    first = len(mutated) + len(signature.user_inputs_to_mutate)
    results = next(node for node in program.graph.nodes if node.op == "output").args[0][first:]
    return {
        "nodes": nodes,
        "inputs": [{"node": name, "path": paths.get(i)} for i, name in enumerate(given)],
        "outputs": nest(tree_unflatten(list(results), program.call_spec.out_spec)),
        "mutated": mutated,
        "changes_inputs": bool(signature.user_inputs_to_mutate),
    }


def described_node(node: Any, attributes: dict[str, str]) -> dict[str, Any]:
    """A node of the graph as JSON; `size` is the value of a number that depends on sizes."""
    value = node.meta.get("val")
    tensor = value if isinstance(value, torch.Tensor) else None
    is_size = isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool))
    return {
        "name": node.name,
        "op": node.op,
        "target": str(node.target),
        "args": [argument(one) for one in node.args],
        "kwargs": {key: argument(one) for key, one in node.kwargs.items()},
        "shape": None if tensor is None else [hint(size) for size in tensor.shape],
        "dtype": None if tensor is None else str(tensor.dtype).removeprefix("torch."),
        "strides": None if tensor is None else [hint(size) for size in tensor.stride()],
        "contiguous": tensor is not None and bool(tensor.is_contiguous()),
        "attribute": attributes.get(node.name),
        "size": hint(value) if is_size else None,
    }


def hint(value: Any) -> Any:
    """A size as it is for these inputs."""
    return value.node.hint if hasattr(value, "node") else value


def argument(value: Any) -> Any:
    """A node's argument as JSON: `{"node": name}` for another's result, `{"code": text}`."""
    if isinstance(value, torch.fx.Node):
        return {"node": value.name}
    if isinstance(value, (list, tuple)):
        return [argument(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.device):
        return {"code": f"torch.device({str(value)!r})"}
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return {"code": str(value)}
    return {"unknown": type(value).__name__}


def nest(value: Any) -> Any:
    """The results' nest as JSON: `{"tuple": …}`, `{"list": …}`, `{"dict": pairs}`, or a leaf."""
    for kind in (tuple, list):
        if type(value) is kind:
            return {kind.__name__: [nest(one) for one in value]}
    if type(value) is dict:
        return {"dict": [[key, nest(one)] for key, one in value.items()]}
    return argument(value)


def input_paths(arguments: Any) -> dict[int, list[int | str]]:
    """The path of each leaf from the arguments; none for leaves of other kinds of nests."""
    found: dict[int, list[int | str]] = {}

    def walk(value: Any, path: list[int | str]) -> None:
        if type(value) is int:
            found[value] = path
        elif type(value) in (tuple, list):
            for place, one in enumerate(value):
                walk(one, [*path, place])
        elif type(value) is dict and all(type(key) in (int, str) for key in value):
            for key, one in value.items():
                walk(one, [*path, key])

    walk(arguments, [])
    return found


def constant(model: torch.nn.Module, name: str, value: torch.Tensor) -> dict[str, Any]:
    """A tensor that is no parameter and no buffer: the attribute that holds it, or its elements."""
    try:
        if read(model, name) is value:
            return {"attribute": name}
    except AttributeError:
        pass
    if value.numel() > LARGEST_CONSTANT or value.is_complex():
        return {}
    return {"constant": {"elements": value.tolist(), "dtype": str(value.dtype)}}


def read(model: Any, name: str) -> Any:
    """Return what an attribute of that dotted name holds."""
    for part in name.split("."):
        model = getattr(model, part)
    return model
