"""Tests of attributing a GPU's kernels to the candidate or to libraries."""

from __future__ import annotations

import pytest

from kernelwright.schema import Policy
from kernelwright.verifier.integrity.gpu_kernels import LIBRARIES, kernel_flags


@pytest.mark.parametrize(
    "name",
    [
        "void at::native::vectorized_elementwise_kernel<4, at::native::exp_kernel>(int)",
        "at::native::softmax",
        "ampere_sgemm_128x64_tn",
        "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize128x128x32",
        "cutlass_80_tensorop_s1688gemm_128x128_32x3_tn_align4",
        "nvjet_tst_128x256_64x4_1x2_h_bz_coopA_NTT",
        "void cublasLt::splitKreduce_kernel<32, 16, int, float>",
        "Memcpy DtoD (Device -> Device)",
        "triton_red_fused__softmax_0",
    ],
)
def test_kernels_of_libraries(name: str) -> None:
    assert LIBRARIES.match(name)


@pytest.mark.parametrize(
    "name", ["softmax_short", "softmax_kernel", "void cutlass::Kernel<Mine>", "triton_softmax"]
)
def test_kernels_of_candidates(name: str) -> None:
    assert not LIBRARIES.match(name)


OWN, TORCH = {"name": "mine", "self_us": 60.0}, {"name": "void at::native::x", "self_us": 40.0}

TO_HOST = {"name": "Memcpy DtoH (Device -> Pageable)", "self_us": 1.0}


@pytest.mark.parametrize(
    ("rows", "policy", "rules"),
    [
        ([OWN, TORCH], "any", []),
        ([OWN, TORCH], "custom", []),
        ([OWN, TORCH, TORCH | {"name": "gemm", "self_us": 90.0}], "any", ["torch-does-the-work"]),
        ([TORCH], "custom", ["no-custom-code"]),
        (
            [OWN, {"name": "Memcpy DtoH (Device -> Pageable)", "self_us": 1.0}],
            "any",
            ["host-offload"],
        ),
        ([], "any", []),
        ([], "custom", ["engagement-unknown"]),
    ],
)
def test_shares_of_time(rows: list[dict[str, object]], policy: Policy, rules: list[str]) -> None:
    assert [flag.rule for flag in kernel_flags(rows, policy)] == rules
