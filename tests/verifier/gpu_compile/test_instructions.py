"""Tests of the kinds of machine instructions."""

from __future__ import annotations

import pytest

from kernelwright.verifier.gpu_compile.instructions import kind, mix, widest_share


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("HMMA.1684.F32.TF32", "tensor cores"),
        ("HGMMA.64x128x8.F32.TF32", "tensor cores"),
        ("UTCHMMA.2CTA", "tensor cores"),
        ("FFMA", "float32"),
        ("FADD.FTZ", "float32"),
        ("DADD", "float64"),
        ("HFMA2.MMA", "half"),
        ("MUFU.EX2", "special functions"),
        ("LDG.E.128", "global memory"),
        ("LDGSTS.E.BYPASS.128", "global memory"),
        ("UTMALDG.2D", "global memory"),
        ("REDG.E.ADD.F32", "global memory"),
        ("REDUX.SUM", "integers and control"),
        ("LDS.128", "shared memory"),
        ("LDSM.16.M88.4", "shared memory"),
        ("STS", "shared memory"),
        ("LDL.LU", "local memory"),
        ("STL", "local memory"),
        ("BAR.SYNC.DEFER_BLOCKING", "synchronization"),
        ("LDGDEPBAR", "synchronization"),
        ("DEPBAR.LE", "synchronization"),
        ("F2F.F64.F32", "conversions"),
        ("I2F.RP", "conversions"),
        ("IMAD.WIDE", "integers and control"),
        ("SHFL.BFLY", "integers and control"),
    ],
)
def test_kind(instruction: str, expected: str) -> None:
    assert kind(instruction) == expected


def test_a_mix_leaves_the_padding_out() -> None:
    found = mix({"FFMA": 8, "FADD": 2, "LDG.E": 3, "NOP": 40, "BRA": 5})
    assert found == {"float32": 10, "global memory": 3}
    assert list(found) == ["float32", "global memory"]


def test_wide_accesses() -> None:
    assert widest_share({"LDG.E.128": 3, "STG.E": 1, "LDGDEPBAR": 9, "LDS.128": 7}) == 0.75
    assert widest_share({"FFMA": 3}) is None
