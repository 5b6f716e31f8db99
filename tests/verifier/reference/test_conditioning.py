"""Tests with large logits that nearly tie: the reference's own error is a matter of luck there,
which must not decide about a candidate."""

from __future__ import annotations

import runpy
from collections.abc import Callable

import pytest
import torch

from kernelwright.verifier.inside.worker import shake
from kernelwright.verifier.reference.distributions import LARGE
from kernelwright.verifier.reference.oracle import PERTURBATIONS
from kernelwright.verifier.tolerance import Difference, compare
from tests.cli.kit import ROOT

HONEST = ROOT / "tests" / "honest"
DRAWS = 400
Tensors = list[torch.Tensor]
Attention = Callable[..., torch.Tensor]


def tf32(tensor: torch.Tensor) -> torch.Tensor:
    """Truncate the mantissa to the ten bits that a tensor core uses."""
    return (tensor.view(torch.int32) & ~0x1FFF).view(torch.float32)


def conditioning(attention: Attention, inputs: Tensors, golden: torch.Tensor) -> torch.Tensor:
    moved = torch.zeros_like(golden)
    for seed in range(PERTURBATIONS):
        shaken = [tensor.double() for tensor in inputs]
        shake(shaken, inputs, seed)
        moved = torch.maximum(moved, (attention(*shaken) - golden).abs())
    return moved


def differences(seed: int) -> tuple[Difference, Difference, Difference]:
    """Compare an online softmax without and with conditioning, and TF32 with conditioning."""
    reference = runpy.run_path(str(HONEST / "tasks" / "causal_attention.py"))
    candidate = runpy.run_path(str(HONEST / "candidates" / "causal_attention" / "online_blocks.py"))
    attention, online = reference["Model"](), candidate["ModelNew"]()
    torch.manual_seed(seed)
    inputs = [tensor * LARGE for tensor in reference["get_inputs"]()]
    wanted, golden = attention(*inputs), attention(*(tensor.double() for tensor in inputs))
    moved, own = conditioning(attention, inputs, golden), online(*inputs)
    low = attention(*map(tf32, inputs))
    return (
        compare(own, wanted, golden),
        compare(own, wanted, golden, conditioning=moved),
        compare(low, wanted, golden, conditioning=moved),
    )


@pytest.mark.timeout(300)
def test_near_ties_are_no_error_of_an_honest_kernel() -> None:
    with torch.no_grad():
        without, with_it, low = zip(*map(differences, range(DRAWS)), strict=True)
    assert any(found.reason for found in without)
    assert not any(found.reason for found in with_it)
    assert all(found.reason for found in low)
