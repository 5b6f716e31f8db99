"""The scope of a proof: the calls that it covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict

from kernelwright.schema import Record

Pattern = dict[str, Any]
"""One argument: `{"tensor": [dtype, sizes, order]}` with a size's number or its name where it is
free, and dimensions from the largest stride to the smallest; `{"number": [least, largest]}` for a
float; `{"value": value}`; or a `list`, `tuple` or `dict` of patterns."""


class Family(Record):
    """The calls of one workload, with every size that may change left free."""

    constructor: list[Any]
    names: list[str]
    """Names of the arguments."""
    arguments: list[Pattern]
    sizes: dict[str, tuple[int, int]] = {}
    """Smallest and largest judged number of each free size."""
    modules: dict[str, str] = {}
    """Class of each submodule, by path, in their order. A class of the file has its name alone."""
    attributes: dict[str, dict[str, Any]] = {}
    """Plain attributes that `forward` may read, by path of the module and name."""
    training: dict[str, bool] = {}
    """Mode of each module; empty where train() and eval() mean the same."""
    state: dict[str, tuple[str, list[int], list[int]]] = {}
    """Dtype, shape and strides of each parameter and buffer."""
    described: dict[str, dict[str, str]] = {}
    """Other attributes, which a text describes, as `attributes`."""
    opaque: dict[str, list[str]] = {}
    """Attributes that nothing describes: they must be those that the constructor made."""
    missing: dict[str, list[str]] = {}
    """Attributes that `forward` asks for, by path, and that are not there."""
    replaced: list[str] = []
    """Buffers in the place of which `forward` puts others."""
    changed: list[str] = []
    """Parameters and buffers that `forward` changes in place."""
    tied: list[list[str]] = []
    """Names of parameters and buffers that are one tensor."""
    unaligned: list[str] = []
    """Parameters and buffers that may lie anywhere; others lie at a multiple of 64 bytes."""


class Scope(Record):
    """The calls that a proof covers, on one kind of device."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    device: str
    families: tuple[Family, ...]

    def words(self) -> list[str]:
        """Return the scope in lines of text."""
        lines = [line for family in self.families for line in _family_words(family)]
        modes = {bool(family.training) for family in self.families}
        mode = "as constructed" if True in modes else "train() and eval() alike"
        return [
            *dict.fromkeys(lines),
            f"device: {self.device}; mode: {mode}; weights: any of these shapes",
            "gradients: not wanted (inference_mode(), no_grad(), or nothing requires them)",
        ]


OUTSIDE = (
    "elsewhere: the original forward runs; ModelNew.fallbacks counts it, its first reason warns",
    "not seen: writes through .data or numpy after the first call (refresh() follows them), values "
    "of indices, NaN and infinities",
)
"""The behaviour of a guarded file outside of its scope, in lines of text."""


def _family_words(family: Family) -> Iterator[str]:
    given = ", ".join(map(repr, family.constructor))
    yield f"constructor: ({given})"
    for name, pattern in zip(family.names, family.arguments, strict=False):
        yield f"{name}: {pattern_words(pattern)}"
    for name, (low, high) in family.sizes.items():
        yield f"{name}: from {low} to {high}"


def pattern_words(pattern: Pattern) -> str:
    """Return one argument's pattern in words."""
    ((form, wanted),) = pattern.items()
    if form == "tensor":
        dtype, sizes, order = wanted
        layout = "" if order == sorted(order) else f", dimensions {order} from outer to inner"
        return f"{dtype}[{', '.join(map(str, sizes))}]{layout}"
    if form == "number":
        return f"a float from {wanted[0]!r} to {wanted[1]!r}"
    if form == "value":
        return repr(wanted)
    parts = wanted.values() if form == "dict" else wanted
    return f"{form} of ({', '.join(map(pattern_words, parts))})"
