"""Tests of finding a scope, with real workers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kernelwright.delivery.scope import Scope
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.verifier.scope import size_judge
from kernelwright.verifier.scope.find import find_scope, fixed_scope
from kernelwright.verifier.scope.sizes import resized
from kernelwright.verifier.worker.tensor_tree import TensorTree
from tests.verifier import kit
from tests.verifier.uses.kit import candidate_of, module

MODULE = """
    class Model(nn.Module):
        def __init__(self, width=8, eps=1e-3):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(width))
            self.eps = eps
            self.unused = 3

        def forward(self, x, scale, mask=None):
            y = x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt()
            return y * self.gain * scale

    def get_inputs():
        return [torch.randn(6, 5, 8), 0.5]

    def get_init_inputs():
        return [8]
"""
FORWARD = "y = x / (x.square()"


def scope_of(folder: Path, text: str = MODULE, *changes: tuple[str, str]) -> Scope:
    """Return the scope of a candidate that is the module with some changes."""
    with kit.live_reference(module(text)) as reference:
        return find_scope(reference, kit.candidate(candidate_of(text, *changes)), folder)


def test_sizes_and_numbers_that_were_judged_are_free(tmp_path: Path) -> None:
    (family,) = scope_of(tmp_path).families
    assert family.arguments == [
        {"tensor": ["float32", ["n", "m", 8], [0, 1, 2]]},
        {"number": [-0.5, 4.0]},
    ]
    assert family.sizes == {"n": (1, 24), "m": (1, 20)}
    assert family.attributes == {"": {"eps": 1e-3}}, "what forward doesn't read may change"
    assert family.state == {"gain": ("float32", [8], [1])}
    assert (family.constructor, family.training) == ([8], {})


def test_a_candidate_that_knows_its_sizes_has_them_fixed(tmp_path: Path) -> None:
    baked = (FORWARD, f"assert x.shape[0] == 6\n        {FORWARD}")
    (family,) = scope_of(tmp_path, MODULE, baked).families
    assert family.arguments[0]["tensor"][1] == [6, "n", 8]
    vector = (FORWARD, f"x = x[: len(x) // 2 * 2]\n        {FORWARD}")
    assert scope_of(tmp_path, MODULE, vector).families[0].arguments[0]["tensor"][1][0] == 6


def test_a_branch_on_a_size_ends_the_scope(tmp_path: Path) -> None:
    text = MODULE.replace(FORWARD, f"x = x * 2 if x.shape[0] > 4 else x\n            {FORWARD}")
    text = text.replace("y * self", "(y if x.shape[1] != 9 else -y) * self")
    (family,) = scope_of(tmp_path, text).families
    assert family.arguments[0]["tensor"][1] == ["n", 5, 8]
    assert family.sizes == {"n": (5, 24)}


def test_numbers_are_free_as_far_as_they_were_judged(tmp_path: Path) -> None:
    near = ("* scale", "* abs(scale)")
    (family,) = scope_of(tmp_path, MODULE, near).families
    assert family.arguments[1] == {"number": [0.3, 0.5]}
    baked = ("* scale", "* 0.5")
    assert scope_of(tmp_path, MODULE, baked).families[0].arguments[1] == {"value": 0.5}


def test_the_mode_matters_where_forward_reads_it(tmp_path: Path) -> None:
    text = MODULE.replace("return y *", "y = y + 1 if self.training else y\n            return y *")
    assert scope_of(tmp_path, text).families[0].training == {"": True}


@pytest.mark.parametrize(
    ("text", "changes", "why"),
    [
        (MODULE, [("self.gain", "self.gains")], "renamed-parameters"),
        (
            MODULE.replace("return y *", "self.calls = 1\n            return y *"),
            [],
            "sets calls",
        ),
        (
            MODULE.replace("torch.randn(6, 5, 8)", "torch.randn(6, 5, 8, dtype=torch.cfloat)"),
            [],
            "complex",
        ),
    ],
)
def test_what_no_guard_can_stand_before(
    text: str, changes: list[tuple[str, str]], why: str, tmp_path: Path
) -> None:
    with pytest.raises(NotDeliverableError, match=why):
        scope_of(tmp_path, text, *changes)


def test_a_file_without_a_guard_is_proven_for_its_workloads() -> None:
    with kit.live_reference(module(MODULE)) as reference:
        prepared = [reference.prepare(workload).prepared for workload in reference.workloads()]
        first, rest = fixed_scope(prepared, "cpu")
    assert first == "inputs: (float32[6, 5, 8], 0.5)"
    assert "device: cpu" in rest


def test_sizes_that_are_too_large_together_stay_free_as_far_as_they_can_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_judge, "MOST_ELEMENTS", 8 * 24 * 10)
    (family,) = scope_of(tmp_path).families
    assert family.sizes == {"n": (1, 12), "m": (1, 20)}


def test_columns_of_indices_keep_their_ranges() -> None:
    columns = torch.stack([torch.arange(6), 100 + torch.arange(6)], 1)
    inputs = TensorTree({"l": [{"t": 0}]}, [columns])
    found = resized(inputs, [["n", None]], {"n": 40}, seed=1).tensors[0]
    assert found.shape == (40, 2)
    assert found[:, 0].max() < 6 and found[:, 1].min() >= 100


def test_a_file_that_calls_torch_compile_has_its_sizes_fixed(tmp_path: Path) -> None:
    compiled = candidate_of(MODULE) + "\nModelNew.forward = torch.compile(ModelNew.forward)\n"
    with kit.live_reference(module(MODULE)) as reference:
        (family,) = find_scope(reference, kit.candidate(compiled, "inductor"), tmp_path).families
    assert family.arguments[0]["tensor"][1] == [6, 5, 8]
