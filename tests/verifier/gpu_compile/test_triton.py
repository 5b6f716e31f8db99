"""Tests of Triton's compiler without a GPU: library kernels for Hopper, some for all GPUs."""

from __future__ import annotations

import pytest

from kernelwright.kernels.triton import TRITON
from kernelwright.schema import Candidate, Workload
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.gpu_compile.compilation import (
    CAPABILITIES,
    compile_candidate,
    timed_workload,
)
from kernelwright.verifier.gpu_compile.kernel import static_evidence
from tests.honest.corpus import LIBRARY, library_source
from tests.verifier import kit


def candidate(task: str) -> Candidate:
    return kit.candidate(library_source(TRITON, task), "triton")


@pytest.mark.parametrize("task", LIBRARY)
def test_library_kernels_compile_for_hopper(task: str) -> None:
    found = compile_candidate(load_task(task), candidate(task), kit.machine(), (90,))
    assert not found.failures
    assert found.kernels
    for kernel in found.kernels:
        assert kernel.capability == 90
        assert kernel.registers is not None and 8 <= kernel.registers <= 255
        assert kernel.spilled_bytes == 0
        assert kernel.occupancy is not None and 0 < kernel.occupancy.share <= 1
        assert kernel.instructions["global memory"] > 0


def test_products_are_for_tensor_cores_on_every_gpu() -> None:
    found = compile_candidate(
        load_task("matmul_bias_gelu"), candidate("matmul_bias_gelu"), kit.machine()
    )
    assert [kernel.capability for kernel in found.kernels] == list(CAPABILITIES)
    assert all(kernel.instructions["tensor cores"] > 0 for kernel in found.kernels)
    evidence = static_evidence(found)
    assert evidence.level == "static"
    assert evidence.bound is None and evidence.roof_fraction is None
    assert "linear_gelu_tile on sm_80: " in evidence.facts[0]


KERNEL = """
    import triton
    import triton.language as tl

    @triton.jit
    def double(x, y, BLOCK: tl.constexpr):
        i = tl.arange(0, BLOCK)
        {statement}
        tl.store(y + i, 2 * tl.load(x + i, mask=i < 264), mask=i < 264)

    class ModelNew(nn.Module):
        def forward(self, x):
            y = torch.empty_like(x)
            double[(1,)](x, y, BLOCK=512)
            return y
"""
REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return 2 * x
"""


def test_what_does_not_compile_says_why() -> None:
    source = kit.source(KERNEL.format(statement="j = tl.arange(0, 100)"))
    found = compile_candidate(
        kit.task(REFERENCE), kit.candidate(source, "triton"), kit.machine(), (80, 90)
    )
    assert not found.kernels
    assert set(found.failures) == {80, 90}
    assert all("power of 2" in reason for reason in found.failures.values())
    assert "does not compile for sm_80" in static_evidence(found).facts[0]


def test_a_module_that_launches_nothing_has_no_kernels() -> None:
    source = kit.forward("return 2 * x")
    found = compile_candidate(
        kit.task(REFERENCE), kit.candidate(source, "triton"), kit.machine(), (90,)
    )
    assert found.kernels == ()
    assert not found.failures


def test_the_sizes_are_those_for_gpus() -> None:
    small, large = Workload(name="cpu", target="cpu"), Workload(name="gpu", target="cuda")
    values = Workload(name="odd", target="cuda", role="test")
    subject = kit.task(REFERENCE, workloads=(small, values, large))
    assert timed_workload(subject) == large
    assert timed_workload(kit.task(REFERENCE, workloads=(values, small))) == small
