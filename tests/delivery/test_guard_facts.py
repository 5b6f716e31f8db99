"""Tests of the guard with the facts that a worker finds: modules that are changed after a call."""

from __future__ import annotations

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
# What a careless file has in its place: the first state it sees, and nothing of the attributes.
FAST = {
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
    more = {name: found[name] for name in ("described", "missing", "replaced", "tied")}
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
    ],
)
def test_what_a_forward_leaves_behind_is_told(tmp_path: Path, change: str, name: str) -> None:
    constructor = "self.seen, self.counts, self.number, self.last = [], {}, 0, None"
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
