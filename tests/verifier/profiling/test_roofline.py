"""Tests of the roofline and the speed-of-light score."""

from __future__ import annotations

import pytest

from kernelwright.verifier.profiling.roofline import Roof, bottleneck, sol_score

MEMORY = Roof(bytes_moved=10**6, bandwidth=1e10, flops=0, flops_per_s=1e11)  # 100 us
COMPUTE = Roof(bytes_moved=10**6, bandwidth=1e10, flops=3 * 10**7, flops_per_s=1e11)  # 300 us


def test_the_roof_is_the_slower_of_both() -> None:
    assert MEMORY.time_us == pytest.approx(100)
    assert COMPUTE.time_us == pytest.approx(300)
    assert len(MEMORY.words()) == 1
    assert "1.00 MB" in MEMORY.words()[0] and "100.0 us" in MEMORY.words()[0]
    assert "0.030 GFLOP" in COMPUTE.words()[1] and "300.0 us" in COMPUTE.words()[1]


@pytest.mark.parametrize(
    ("roof", "median_us", "bound"),
    [
        (MEMORY, 150, "memory"),
        (COMPUTE, 400, "compute"),
        (MEMORY, 300, None),
        (Roof(1000, 1e10, 0, 1e11), 12, "overhead"),
    ],
)
def test_bottleneck(roof: Roof, median_us: float, bound: str | None) -> None:
    assert bottleneck(roof, median_us) == bound


def test_speed_of_light_score() -> None:
    assert sol_score(MEMORY, 400, 400) == pytest.approx(0.5)
    assert sol_score(MEMORY, 100, 400) == pytest.approx(1.0)
    assert sol_score(MEMORY, 250, 400) == pytest.approx(1 / (1 + 150 / 300))
    slower = sol_score(MEMORY, 1000, 400)
    assert slower is not None and 0 < slower < 0.5
    assert sol_score(MEMORY, 90, 400) is None  # the caches are faster than this roof
    assert sol_score(MEMORY, 400, 90) is None
