"""The plan of a module's uses: which there are for it, with the parameters of each.

Stand-alone (standard library and torch). It is made once, from the reference, so that a candidate
gets exactly the same calls. A use of the plan may be one that the reference refuses; that is found
out by trying. `uses.py` does what a plan says.
"""

from __future__ import annotations

import ast
import inspect
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

# A usual call that is longer, or of more bytes, is made with a smaller batch where that will do;
# one that is slow, or large, in every use.
QUICK_S, SMALL_BYTES = 0.005, 2**21
SLOW_S, LARGE_BYTES = 0.03, 2**24
SMALL_BATCH = 8
# Of what is large even with that; some uses keep a handful of results.
LEAST_BATCH = 2
MOST_ELEMENTS = 2**22
MOST_PARTS, MOST_STRINGS, MOST_NUMBERS, MOST_TENSORS = 2, 3, 3, 8
Variant = dict[str, Any]
Spec = dict[str, Any]

# Texts that stand for one choice, in torch and in what people write, by an argument of that name.
CHOICES = {
    "approximate": ("none", "tanh"),
    "reduction": ("mean", "sum", "none"),
    "mode": ("mean", "sum", "max"),
    "padding_mode": ("zeros", "reflect", "circular"),
    "act": ("relu", "gelu", "silu", "tanh", "sigmoid"),
}
# For a text that a source compares with nothing but itself: what else there is, an `else` takes.
ANY_OTHER = "other"


class Compared:
    """The constants that a source compares something with.

    Attributes:
        numbers: whole numbers.
        groups: sets of texts that stand for one choice: compared with one name, or keys of a dict.
    """

    def __init__(self, source: str) -> None:
        self.numbers: list[int] = []
        groups: dict[str, set[str]] = {}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                self._add(groups, ast.unparse(sides[0]).rpartition(".")[2], sides)
            elif isinstance(node, ast.Match):
                patterns = [n for case in node.cases for n in ast.walk(case.pattern)]
                values = [n.value for n in patterns if isinstance(n, ast.MatchValue)]
                self._add(groups, ast.unparse(node.subject).rpartition(".")[2], values)
            elif isinstance(node, ast.Dict):
                self._add(groups, f"dict {id(node)}", [key for key in node.keys if key])
        self.groups: Mapping[str, set[str]] = groups

    def _add(self, groups: dict[str, set[str]], name: str, nodes: Sequence[ast.expr]) -> None:
        constants = [
            n.value for side in nodes for n in ast.walk(side) if isinstance(n, ast.Constant)
        ]
        self.numbers += [value for value in constants if type(value) is int]
        texts = {value for value in constants if isinstance(value, str)}
        if texts:
            groups.setdefault(name, set()).update(texts)

    def others(self, name: str, value: object) -> list[str]:
        """Return other texts that an argument may have instead of its value."""
        found = {
            text
            for group, texts in self.groups.items()
            if group == name or value in texts
            for text in texts
        }
        others = [*sorted(found), *_choices(name, value)]
        others += [ANY_OTHER] if found == {value} else []
        return list(dict.fromkeys(text for text in others if text != value))[:MOST_STRINGS]


def _choices(name: str, value: object) -> list[str]:
    """Return the texts of the choice that a value is one of."""
    if value in CHOICES.get(name, ()):
        return list(CHOICES[name])
    return [text for texts in CHOICES.values() if value in texts for text in texts]


class Planner:
    """The maker of a plan.

    Args:
        subject: the reference, as a `Subject` of `uses.py`.
        source: its text.
    """

    def __init__(self, subject: Any, source: str) -> None:
        self.subject = subject
        self.compared = Compared(source)
        self.model: nn.Module = subject.model()
        signature = inspect.signature(type(self.model).forward)
        self.parameters = [
            p for p in list(signature.parameters.values())[1:] if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        self.keyword_only = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
        self.trims = False
        subject.batch = self.batch = self._batch()
        subject.trims = self.trims
        self.own: list[Any] = subject.arguments(True)
        self.given: list[Any] = subject.arguments(False)
        self.usual: list[Spec] = [{"of": index} for index in range(len(self.given))]
        parameters = dict(self.model.named_parameters())
        self.weights = [name for name, value in parameters.items() if value.is_floating_point()]
        self.buffers = [
            name
            for name, value in self.model.named_buffers()
            if (value.is_floating_point() or value.numel() > 1) and name in self.model.state_dict()
        ]

    def _batch(self) -> int | None:
        """Return the size of a small batch with which the module works; None: its own."""
        arguments = self.subject.arguments(True)
        self._call(arguments)
        seconds, result = self._call(arguments)
        nbytes = sum(map(_bytes, (arguments, result)))
        del result  # it may be large
        first = _first(arguments)
        if first is None or first.dim() < 2 or (seconds < QUICK_S and nbytes <= SMALL_BYTES):
            return None
        batch = SMALL_BATCH
        while batch > LEAST_BATCH and nbytes * batch > LARGE_BYTES * first.shape[0]:
            batch //= 2
        if first.shape[0] <= batch:
            return None
        self.subject.batch = batch
        try:
            self._call(self.subject.arguments(False))
        except Exception:  # it works with its own batch only
            return None
        self.trims = seconds > SLOW_S or nbytes > LARGE_BYTES
        return batch

    def _call(self, arguments: Sequence[Any]) -> tuple[float, Any]:
        """Call the module; return its seconds and its result."""
        start = time.perf_counter()
        with torch.no_grad():
            result = self.subject.call(self.model, arguments)
        return time.perf_counter() - start, result

    def plan(self) -> list[Variant]:
        """Return the variants of all uses: `use`, `words`, `parameters`, and whether it `refuses`.

        `refuses`: where the reference raises, a value is wrong.
        """
        calls = [
            *self._sizes(),
            *self._broadcast(),
            *self._numbers(),
            *self._optional(),
            *self._layouts(),
        ]
        found = [*calls, *self._constructor(), *self._states(), *self._parts(), *self._modes()]
        return [variant for variant in found if _is_json(variant)]

    def _called(
        self,
        use: str,
        words: str,
        arguments: Sequence[Spec],
        keywords: Mapping[str, Spec] | None = None,
        refuses: bool = False,
        own: bool = False,
    ) -> Variant:
        parameters = {"arguments": list(arguments), "keywords": dict(keywords or {}), "own": own}
        return _variant(use, words, parameters, refuses)

    def _changed(self, **changes: Any) -> list[Spec]:
        """Return all arguments with the same changes."""
        return [{"of": index, **changes} for index in range(len(self.given))]

    def _sizes(self) -> Iterator[Variant]:
        first = _first(self.given)
        if first is None:
            return
        batch, total = first.shape[0], max(t.numel() for t in _leaves(self.given))
        own = _first(self.own)
        branches = [n for n in self.compared.numbers if 1 < n <= 512][:MOST_NUMBERS]
        wanted = [1, 3, batch + 1, 2 * batch, *branches, *(n + 1 for n in branches)]
        if own is not None and own.shape[0] != batch:
            yield self._called("other-batch-sizes", f"batch {own.shape[0]}", self.usual, own=True)
        for size in dict.fromkeys(wanted):
            if size != batch and total // max(batch, 1) * size <= MOST_ELEMENTS:
                changed = self._changed(sizes=[[0, batch, size]])
                yield self._called("other-batch-sizes", f"batch {size}", changed)
        empty = self._changed(sizes=[[0, batch, 0]])
        yield self._called("empty-batch", "no rows", empty)
        held = {size for value in self.model.state_dict().values() for size in value.shape}
        for dim in range(-1, -first.dim(), -1):
            size = first.shape[dim]
            for other in dict.fromkeys((size + 1, size // 2, 2 * size)):
                if other in (0, size) or total // max(size, 1) * other > MOST_ELEMENTS:
                    continue
                sizes = [[d, size, other] for d in range(-first.dim() + 1, 0)]
                words = f"{other} instead of {size} in dimension {dim}"
                changed = self._changed(sizes=sizes)
                yield self._called("other-widths", words, changed, refuses=size in held)

    def _broadcast(self) -> Iterator[Variant]:
        floating = [
            index
            for index, value in enumerate(self.given)
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim()
        ]
        if len(floating) < 2:
            return
        for index in floating:
            shape = list(self.given[index].shape)
            name = self._name(index)
            changes: dict[str, list[list[int | None]]] = {
                f"{name} {shape[1:]}": [[0, shape[0], None]],
                f"{name} with 1 in the first dimension": [[0, shape[0], 1]],
                f"{name} with 1 in the last dimension": [[-1, shape[-1], 1]],
                f"{name} with {shape[0] + 1} in the first dimension": [[0, shape[0], shape[0] + 1]],
                f"{name} with {shape[-1] + 1} in the last dimension": [
                    [-1, shape[-1], shape[-1] + 1]
                ],
            }
            if shape[0] > 2:
                short = f"{name} with {shape[0] - 1} in the first dimension"
                changes[short] = [[0, shape[0], shape[0] - 1]]
            if shape[-1] > 2:
                narrow = f"{name} with {shape[-1] - 1} in the last dimension"
                changes[narrow] = [[-1, shape[-1], shape[-1] - 1]]
            for words, sizes in changes.items():
                if sizes[0][1] == sizes[0][2]:
                    continue
                changed = [*self.usual]
                changed[index] = {"of": index, "sizes": sizes}
                yield self._called("broadcast-operands", words, changed, refuses=True)

    def _name(self, index: int) -> str:
        return self.parameters[index].name if index < len(self.parameters) else f"input {index}"

    def _numbers(self) -> Iterator[Variant]:
        for index, value in enumerate(self.given):
            for other in self._moved(self._name(index), value):
                changed = [*self.usual]
                changed[index] = {"value": other}
                words = f"{self._name(index)}={other!r}"
                yield self._called("other-numbers", words, changed)
        for parameter in self._defaulted():
            for other in self._moved(parameter.name, parameter.default):
                named = {parameter.name: {"value": other}}
                words = f"{parameter.name}={other!r}"
                yield self._called("other-numbers", words, self.usual, named)

    def _defaulted(self) -> list[inspect.Parameter]:
        """Return forward's parameters with a default that the usual call leaves out."""
        others = [*self.parameters[len(self.given) :], *self.keyword_only]
        return [p for p in others if p.default is not p.empty]

    def _moved(self, name: str, value: object) -> list[Any]:
        """Return other values for a number, a flag or a text; none for anything else."""
        if isinstance(value, bool):
            return [not value]
        if isinstance(value, int):
            compared = [n for n in self.compared.numbers if n != value][:1]
            return list(dict.fromkeys([value + 1, max(value - 1, 0), *compared]))
        if isinstance(value, float):
            return [value * 0.5 + 0.25, value * 1.5]
        if isinstance(value, str):
            return list(self.compared.others(name, value))
        return []

    def _optional(self) -> Iterator[Variant]:
        count = len(self.given)
        names = [p.name for p in self.parameters[:count]]
        named = {name: {"of": index} for index, name in enumerate(names)}
        for index, parameter in enumerate(self.parameters[:count]):
            words = f"without {parameter.name}"
            if parameter.default is not parameter.empty:
                yield self._called("arguments-left-out", words, self.usual[:index])
                others = {name: spec for name, spec in named.items() if spec["of"] > index}
                if others:
                    yield self._called("arguments-left-out", words, self.usual[:index], others)
            if index:
                changed = [*self.usual]
                changed[index] = {"value": None}
                yield self._called("arguments-none", f"{parameter.name}=None", changed)
        for parameter in self._defaulted():
            if parameter.default is None:
                given = {parameter.name: {"of": 0}}
                words = f"{parameter.name} like {self._name(0)}"
                yield self._called("arguments-given", words, self.usual, given)
            elif parameter.default is not None:
                none = {parameter.name: {"value": None}}
                yield self._called("arguments-none", f"{parameter.name}=None", self.usual, none)
        if names and len(names) == count:
            yield self._called("keyword-arguments", "all by name", [], named)
            last = {name: spec for name, spec in reversed(named.items()) if spec["of"]}
            if last:
                yield self._called("keyword-arguments", "all but the first", self.usual[:1], last)

    def _layouts(self) -> Iterator[Variant]:
        is_image = any(tensor.dim() == 4 for tensor in _leaves(self.given))
        for layout in ("strided", "transposed", "offset", *(["channels-last"] if is_image else [])):
            use = f"{layout}-inputs"
            yield self._called(use, "all inputs", self._changed(layout=layout), own=True)
            if len(self.given) > 1:
                first = [{"of": 0, "layout": layout}, *self.usual[1:]]
                yield self._called(use, "the first input", first, own=True)
        if any(map(self.subject.may_be_index, _leaves(self.own))):
            for layout, number in (("from-the-end", -1), ("ignored", -100)):
                changed = self._changed(layout=layout)
                words = f"some integers {number}"
                yield self._called("negative-indices", words, changed, own=True)
        if any(map(self.subject.may_be_mask, _leaves(self.own))):
            changed = self._changed(layout="turned-over")
            yield self._called("other-masks", "every third element turned over", changed, own=True)
        kinds = {tensor.dtype for tensor in _leaves(self.given) if tensor.is_floating_point()}
        for dtype in ("float64", "float32", "float16", "bfloat16"):
            if kinds and kinds != {getattr(torch, dtype)}:
                yield self._called("other-dtypes", dtype, self._changed(dtype=dtype))

    def _constructor(self) -> Iterator[Variant]:
        signature = inspect.signature(type(self.model).__init__)
        known = list(signature.parameters.values())[1:]
        positional = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
        for index, value in enumerate(self.subject.init):
            name = positional[index].name if index < len(positional) else f"argument {index}"
            for other in self._moved(name, value):
                yield from self._made(index, name, other)
        for parameter in known:
            is_given = parameter in positional[: len(self.subject.init)]
            if not is_given and parameter.default is not parameter.empty:
                for other in self._moved(parameter.name, parameter.default):
                    yield from self._made(None, parameter.name, other)

    def _made(self, index: int | None, name: str, value: object) -> Iterator[Variant]:
        """Yield the variant with one other argument, if the module can be made with it."""
        init, keywords = list(self.subject.init), {}
        if index is None:
            keywords = {name: value}
        else:
            init[index] = value
        try:
            made = self.subject.model(init, keywords).state_dict()
        except Exception:  # the constructor refuses it
            return
        usual = self.subject.state
        fill = [
            key
            for key, new in made.items()
            if new.is_floating_point() and (key not in usual or usual[key].shape != new.shape)
        ]
        parameters = {"index": index, "name": name, "value": value, "fill": fill}
        yield _variant("constructor-arguments", f"{name}={value!r}", parameters)

    def _states(self) -> Iterator[Variant]:
        if self.model.state_dict():
            yield _variant("weights-loaded-later", "", {})
            yield _variant("functional-call", "", {})
            yield _variant("two-instances", "", {})
            yield _variant("instances-in-turn", "", {})
        if self.weights:
            names = {"names": self.weights}
            yield _variant("weights-changed-in-place", "", names)
            yield _variant("weights-replaced", "", names)
            yield _variant("optimizer-step", "", names)
        if len(tensors := [*self.weights, *self.buffers]) > 1:
            some = tensors if len(tensors) <= MOST_TENSORS else tensors[:: len(tensors) // 6]
            yield _variant("one-tensor-changed", "", {"names": some[:MOST_TENSORS]})
        if self.buffers:
            yield _variant("buffers-changed", "", {"names": self.buffers})
        yield _variant("input-changed-in-place", "", {})

    def _parts(self) -> Iterator[Variant]:
        leaves = [
            name for name, part in self.model.named_modules() if name and not list(part.children())
        ]
        picked = [*leaves[:MOST_PARTS], *leaves[MOST_PARTS:][-1:]]
        for name in picked:
            yield _variant("replaced-submodule", name, {"name": name})
            yield _variant("forward-hooks", name, {"name": name})
        for name in self.weights[:MOST_PARTS]:
            yield _variant("parametrizations", name, {"name": name})

    def _modes(self) -> Iterator[Variant]:
        names = {"names": self.weights}
        simple = ("train", "eval", "plain-call", "inference-mode", "autocast", "deepcopy")
        others = ("pickle", "torch-save", "four-threads", "thread-counts", "torch-compile")
        for use in (*simple, *others):
            yield _variant(use, "", {})
        yield _variant("forked-worker", "", {})
        yield _variant("requires-grad", "", names)
        yield _variant("half", "", {"dtype": "float16"})
        yield _variant("bfloat16", "", {"dtype": "bfloat16"})


def _variant(use: str, words: str, parameters: Spec, refuses: bool = False) -> Variant:
    return {"use": use, "words": words, "parameters": parameters, "refuses": refuses}


def _bytes(value: Any) -> int:
    """Return the bytes of a nest's tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _leaves(value))


def _leaves(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _leaves(item)]
    return []


def _first(value: Any) -> torch.Tensor | None:
    """Return the first tensor that has dimensions."""
    return next((tensor for tensor in _leaves(value) if tensor.dim()), None)


def _is_json(variant: Variant) -> bool:
    """Return whether a variant's parameters can be written down."""
    try:
        json.dumps(variant, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def plan(subject: Any, source: str) -> Spec:
    """Return `batch` and `trims` (see `Subject`), and `variants` of all uses.

    Args:
        subject: the reference, as a `Subject` of `uses.py`; gets that batch.
        source: its text.
    """
    planner = Planner(subject, source)
    return {"batch": planner.batch, "trims": planner.trims, "variants": planner.plan()}


def planned(loaded: Mapping[str, Any], key: str, source: str) -> Spec:
    """Return the plan of a loaded instance, as a tool of the worker."""
    return plan(loaded[key].subject, source)
