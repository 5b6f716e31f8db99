"""Tests of Python numbers among the inputs: they move in some cases and stay in timed calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.schema import Level, Status
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference.distributions import with_moved_numbers
from kernelwright.verifier.worker.tensor_tree import packed
from tests.verifier import kit
from tests.verifier.correctness.test_check import checking, verdict
from tests.verifier.kit import source

SCALED = """
    class Model(nn.Module):
        def forward(self, x, scale, power, on):
            return (x * scale).abs() ** power if on else x

    def get_inputs():
        return [torch.randn(8, 33), 0.5, 2, True]

    def get_init_inputs():
        return []
"""
CANDIDATE = """
    class ModelNew(nn.Module):
        def forward(self, x, scale, power, on):
            return {}
"""
SCALE = "torch.square(x * scale)"
BAKED = "torch.square(x * 0.5)"


@pytest.mark.parametrize(("level", "least"), [("fast", 1), ("standard", 3), ("strict", 3)])
def test_a_constant_in_place_of_an_argument_is_wrong_at_every_level(
    level: Level, least: int, tmp_path: Path
) -> None:
    with checking(kit.task(SCALED), tmp_path, level) as check:
        right = check(source(CANDIDATE.format(SCALE)))
        assert right.correctness is not None
        assert least <= right.correctness.moved_numbers < right.correctness.cases
        status, reason = verdict(check, source(CANDIDATE.format(BAKED)))
    assert status is Status.INCORRECT_NUMERICAL
    assert "with another number" in reason


def test_every_case_with_moved_numbers_has_other_ones() -> None:
    with kit.live_reference(kit.task(SCALED)) as live:
        work = live.prepare(live.workloads()[0])
        cases = [work.case(work.prepared, *case) for case in EFFORTS["strict"].cases]
        found = [case.inputs.unpacked()[1:] for case in cases]
        fresh = work.fresh_case(work.prepared, "tiny").inputs.unpacked()
    moved = [scale for scale, _power, _on in found if scale != 0.5]
    assert len(set(moved)) == len(moved) >= 3
    assert all(0.3 <= scale <= 0.45 for scale in moved)
    assert {tuple(rest) for _scale, *rest in found} == {(2, True)}
    assert fresh[1] == 0.5  # as a timed worker is asked
    assert found[0] == [0.5, 2, True]


@pytest.mark.parametrize(
    ("result", "number"),
    [("x * 2 if scale == 0.5 else x @ x", "0.5"), ("(x - 1) ** power", "2.0")],
    ids=["it raises", "it becomes NaN"],
)
def test_a_reference_that_cannot_do_with_other_numbers_keeps_its_own(
    result: str, number: str, tmp_path: Path
) -> None:
    text = f"""
    class Model(nn.Module):
        def forward(self, x, scale, power):
            return {result}

    def get_inputs():
        return [torch.rand(8, 33), {number}, {number}]

    def get_init_inputs():
        return []
    """
    mine = text.replace("class Model(", "class ModelNew(")
    with checking(kit.task(text), tmp_path) as check:
        found = check(source(mine))
    assert found.correctness is not None
    assert found.correctness.moved_numbers == 0


def test_how_far_numbers_move() -> None:
    example = packed([{"p": 0.9}, (0.0, float("-inf"), 1, True, None, "0.5"), -1.0, 64.0])
    for seed in range(50):
        moved, (zero, lowest, *others), negative, large = with_moved_numbers(
            example, seed
        ).unpacked()
        assert 0.54 <= moved["p"] <= 0.81
        assert (zero, lowest, others) == (0.0, float("-inf"), [1, True, None, "0.5"])
        assert -0.9 <= negative <= -0.6
        assert 38 <= large <= 90
        assert large != 64.0
