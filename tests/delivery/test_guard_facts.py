"""Tests of the guard with the facts that a worker finds: modules that are changed after a call."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice
from kernelwright.verifier.inside.scope_facts import facts
from kernelwright.verifier.worker.tensor_tree import TensorTree
from tests.delivery.kit import loaded

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
HEAD = """
import types

import numpy as np
import torch
from torch import nn


class Model(nn.Module):
"""
TIED = """
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(4, 4, False), nn.Linear(4, 4, False)
        self.down.weight = self.up.weight

    def forward(self, x):
        return self.down(self.up(x))
"""
ATTRIBUTES = """
    def __init__(self):
        super().__init__()
        self.scale, self.kind, self.limit, self.clip = 1 / np.sqrt(4), torch.float32, 1e9, 1.0
        self.register_buffer("table", torch.ones(4))

    def forward(self, x):
        x = x * self.scale * getattr(self, "temperature", 1.0) * self.table
        x = x + self.mask if hasattr(self, "mask") else x
        return x.clamp(max=self.clip).to(self.kind) if x.sum() > self.limit else x.to(self.kind)
"""
PACKED = """
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x):
        return self.linear(x) * self.shift
"""
FUNCTIONS = """
    def __init__(self):
        super().__init__()
        self.act, self.first, self.names = twice, lambda x: x + 1, {1: 2}
        self.options, self.weights = {"left", "right"}, np.ones(2000)

    def forward(self, x):
        x = x * float(self.weights[1500])
        return self.act(self.first(x)) * self.names.get(1, 3) * len(self.options) * self.factor()

    def factor(self):
        return 0.5


def twice(x):
    return 2 * x
"""
# What a careless file has in its place: the first state it sees, and nothing of the attributes.
FAST = {
    PACKED: """
        version = self.linear.weight._version  # and nothing of the others
        if getattr(self, "key", None) != version:
            self.key, self.kept = version, (self.linear.weight.clone(), self.linear.bias.clone())
            self.factor = self.shift.clone()
        return (x @ self.kept[0].t() + self.kept[1]) * self.factor
    """.strip(),
    FUNCTIONS: "return 2 * (x + 1) * 2 * 2 * 0.5",
    TIED: "return x @ self.up.weight.t() @ self.up.weight.t()",
    ATTRIBUTES: """
        if not hasattr(self, "kept"):
            self.kept = self.table.clone()
        return x * 0.5 * self.kept
    """.strip(),
}


def family(file: Any) -> Family:
    """Return what a worker finds out of a file's module."""
    held: Any = SimpleNamespace(model=file.Model(), slots=[[X]])
    found = facts({"one": held}, "one")
    assert not found["writes"]
    plain = {
        path: {name: TensorTree(tree, []).unpacked() for name, tree in own.items()}
        for path, own in found["attributes"].items()
    }
    names = "described", "opaque", "missing", "replaced", "changed", "tied", "unaligned"
    more = {name: found[name] for name in names}
    return Family(
        constructor=[],
        names=found["names"],
        arguments=[{"tensor": ["float32", [3, 4], [0, 1]]}],
        modules=found["modules"],
        attributes=plain,
        training=found["training"] if found["reads_mode"] else {},
        state=found["state"],
        **more,
    )


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    body: str = request.param
    reference = HEAD + body
    own = (tmp_path / "plain").absolute()
    own.mkdir()
    scope = Scope(device="cpu", families=(family(loaded(reference, own)),))
    constructor = body[: body.index("    def forward")]
    fast = f"{HEAD}{constructor}    def forward(self, x):\n        {FAST[body]}\n"
    text = splice(reference, fast.replace("class Model(", "class ModelNew("), scope, "A file.")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield loaded(text, tmp_path)


def both(file: Any) -> tuple[Any, Any]:
    """Return the guarded module, which has been called once, and its reference."""
    reference, own = file.Model(), file.ModelNew()
    own.load_state_dict(reference.state_dict())
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert not file.ModelNew.fallbacks
    return own, reference


def untie(model: Any) -> None:
    model.down.weight = nn.Parameter(torch.eye(4))


@pytest.mark.parametrize("file", [TIED], indirect=True)
def test_weights_that_are_tied_no_more(file: Any) -> None:
    own, reference = both(file)
    for model in (own, reference):
        untie(model)
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert file.ModelNew.fallbacks


def set_to(**values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(model, name, value)

    change.__name__ = "_".join(values)
    return change


def add_mask(model: Any) -> None:
    model.register_buffer("mask", torch.ones(4))


def replace_table(model: Any) -> None:
    model.table = torch.full((4,), 3.0)


def assign_table(model: Any) -> None:
    model.load_state_dict({"table": torch.full((4,), 5.0)}, assign=True)


@pytest.mark.parametrize("file", [ATTRIBUTES], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        set_to(temperature=2.0),
        set_to(scale=3.0),
        set_to(kind=torch.float64),
        set_to(limit=-1e9, clip=0.1),
        add_mask,
        replace_table,
        assign_table,
    ],
)
def test_what_is_changed_after_a_call_counts(file: Any, change: Callable[[Any], None]) -> None:
    own, reference = both(file)
    for model in (own, reference):
        change(model)
    result, wanted = own(X), reference(X)
    assert result.dtype == wanted.dtype
    assert torch.allclose(result, wanted, atol=1e-6)


@pytest.mark.parametrize("file", [ATTRIBUTES], indirect=True)
def test_a_buffer_that_lies_elsewhere_is_prepared_anew(file: Any) -> None:
    own, reference = both(file)
    for model in (own, reference):
        model.table.data = torch.full((4,), 7.0)
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert not file.ModelNew.fallbacks


@pytest.mark.parametrize("file", [ATTRIBUTES], indirect=True)
def test_a_negated_view_is_no_plain_input(file: Any) -> None:
    own, reference = both(file)
    negated = torch.complex(X, X).conj().imag
    assert negated.is_neg()
    assert torch.allclose(own(negated.contiguous()), reference(negated), atol=1e-6)
    before = file.ModelNew.fallbacks.total()
    own(torch._neg_view(X))
    assert file.ModelNew.fallbacks.total() == before + 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("self.last = x", "last"),
        ("self.seen.append(1)", "seen"),
        ("self.counts['calls'] = self.counts.get('calls', 0) + 1", "counts"),
        ("self.number = 1", "number"),
        ("self.deep['all'].append(1)", "deep"),
        ("self.config.calls += 1", "config"),
        ("self.total.add_(1)", "total"),
    ],
)
def test_what_a_forward_leaves_behind_is_told(tmp_path: Path, change: str, name: str) -> None:
    constructor = """self.seen, self.counts, self.number, self.last = [], {}, 0, None
        self.deep, self.total = {"all": []}, torch.zeros(2)
        self.config = types.SimpleNamespace(calls=0)"""
    body = f"""
    def __init__(self):
        super().__init__()
        {constructor}

    def forward(self, x):
        {change}
        return x + 1
"""
    held: Any = SimpleNamespace(model=loaded(HEAD + body, tmp_path).Model(), slots=[[X]])
    assert facts({"one": held}, "one")["writes"] == [name]


def changed(name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.get_parameter(name).mul_(3) if "." in name else model.get_buffer(name).mul_(3)

    return change


def loaded_in_part(model: Any) -> None:
    model.load_state_dict({"linear.bias": torch.full((4,), 9.0)}, strict=False)


def dictionaries_replaced(model: Any) -> None:
    model.linear._parameters = {
        name: nn.Parameter(value * 5) for name, value in model.linear._parameters.items()
    }


@pytest.mark.parametrize("file", [PACKED], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        changed("linear.weight"),
        changed("linear.bias"),
        changed("shift"),
        loaded_in_part,
        dictionaries_replaced,
    ],
)
def test_a_file_that_follows_one_tensor_gets_the_others_too(
    file: Any, change: Callable[[Any], None]
) -> None:
    own, reference = both(file)
    for model in (own, reference):
        change(model)
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert not file.ModelNew.fallbacks


@pytest.mark.parametrize("file", [PACKED], indirect=True)
def test_weights_at_odd_addresses_are_not_the_fast_paths(file: Any) -> None:
    own, reference = both(file)
    memory = torch.randn(21)
    for model in (own, reference):
        nn.utils.vector_to_parameters(memory[1:], model.parameters())
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert any("a multiple of 64 bytes" in reason for reason in file.ModelNew.fallbacks)


@pytest.mark.parametrize("file", [PACKED], indirect=True)
def test_strides_of_dimensions_of_one_count(file: Any) -> None:
    own, _ = both(file)
    family = own.scope["families"][0]["arguments"][0]["tensor"]
    family[1] = [1, 4]
    odd = torch.randn(2, 4)[:1].as_strided((1, 4), (9, 1))
    assert odd.is_contiguous()
    own(torch.randn(1, 4))
    assert not file.ModelNew.fallbacks
    own(odd)
    assert file.ModelNew.fallbacks.total() == 1


@pytest.mark.parametrize("file", [FUNCTIONS], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        set_to(act=torch.tanh),
        set_to(first=torch.sin),
        set_to(names={1: 5}),
        set_to(options={"left"}),
        set_to(act=lambda x: x),
    ],
)
def test_objects_that_nothing_describes_are_those_of_the_constructor(
    file: Any, change: Callable[[Any], None]
) -> None:
    own, reference = both(file)
    copied = copy.deepcopy(own)
    assert torch.allclose(copied(X), reference(X), atol=1e-6)
    assert not file.ModelNew.fallbacks
    for model in (own, reference, copied):
        change(model)
    for model in (own, copied):
        assert torch.allclose(model(X), reference(X), atol=1e-6)
    assert file.ModelNew.fallbacks.total() == 2


@pytest.mark.parametrize("file", [FUNCTIONS], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.options.add("middle"),
        lambda model: model.names.update({1: 7}),
        lambda model: model.weights.__imul__(2),
    ],
)
def test_what_containers_hold_counts(file: Any, change: Callable[[Any], None]) -> None:
    own, reference = both(file)
    for model in (own, reference):
        change(model)
    assert torch.allclose(own(X), reference(X), atol=1e-6)
    assert file.ModelNew.fallbacks.total() == 1


@pytest.mark.parametrize("file", [FUNCTIONS], indirect=True)
@pytest.mark.parametrize("name", ["Model", "ModelNew"])
def test_a_class_that_was_changed_has_no_fast_path(
    file: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getattr(file, name), "factor", lambda self: 7.0, raising=False)
    reference = file.Model()
    wanted = reference(X) if name == "Model" else reference(X) * 14
    assert torch.allclose(file.ModelNew()(X), wanted, atol=1e-6)
    assert file.ModelNew.fallbacks


@pytest.mark.parametrize("file", [FUNCTIONS], indirect=True)
def test_a_warning_that_is_an_error_ends_one_call(file: Any) -> None:
    own, reference = both(file)
    own.act = reference.act = torch.tanh
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            own(X)
        assert torch.equal(own(X), reference(X))
