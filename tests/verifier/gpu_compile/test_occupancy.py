"""Tests of theoretical occupancy against values of NVIDIA's own calculator."""

from __future__ import annotations

import pytest

from kernelwright.verifier.gpu_compile.occupancy import MULTIPROCESSORS, occupancy


@pytest.mark.parametrize(
    ("capability", "warps", "registers", "shared", "share", "limit"),
    [
        (80, 8, 32, 0, 1.0, "warps"),
        (80, 8, 40, 0, 0.75, "registers"),
        (80, 8, 64, 0, 0.5, "registers"),
        (80, 8, 255, 0, 0.125, "registers"),
        (80, 1, 32, 0, 0.5, "blocks"),
        (86, 8, 32, 0, 1.0, "warps"),
        (86, 4, 32, 48 * 1024, 2 * 4 / 48, "shared memory"),
        (90, 8, 32, 100 * 1024, 0.25, "shared memory"),
        (90, 32, 65, 0, 0.0, "registers"),
        (100, 4, 168, 64 * 1024, 0.1875, "registers"),
    ],
)
def test_occupancy(
    capability: int, warps: int, registers: int, shared: int, share: float, limit: str
) -> None:
    found = occupancy(capability, warps, registers, shared)
    assert found.share == pytest.approx(share)
    assert found.limit == limit


def test_more_of_anything_never_lets_more_in() -> None:
    for capability in MULTIPROCESSORS:
        by_registers = [occupancy(capability, 4, n, 0).share for n in range(16, 256)]
        by_shared = [occupancy(capability, 4, 32, 1024 * n).share for n in range(200)]
        assert by_registers == sorted(by_registers, reverse=True)
        assert by_shared == sorted(by_shared, reverse=True)


def test_an_unknown_gpu_has_no_occupancy() -> None:
    with pytest.raises(KeyError):
        occupancy(75, 4, 32, 0)
