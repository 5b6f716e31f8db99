"""Tests of CUDA sources through nvcc without a GPU: facts, or the compiler's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernelwright.errors import PrerequisiteError
from kernelwright.kernels.cuda import CUDA
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.gpu_compile.compilation import compile_candidate
from kernelwright.verifier.gpu_compile.kernel import Binary, kernels_in, readable, words
from kernelwright.verifier.inside.compile_cuda import find_nvcc
from tests.honest.corpus import library_source
from tests.verifier import kit

must_be_there = "TEST_ALL_SANDBOXES" in os.environ
needs_nvcc = pytest.mark.skipif(find_nvcc() is None and not must_be_there, reason="no nvcc")
REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return 2 * x
"""
INLINE = """
    from torch.utils.cpp_extension import load_inline

    KERNEL = r'''
    template <int FACTOR>
    __global__ void __launch_bounds__(256) times(const float* x, float* y, int n) {
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) y[i] = FACTOR * x[i];
    }
    torch::Tensor run(torch::Tensor x) {
      auto y = torch::empty_like(x);
      int n = x.numel();
      times<2><<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
      return y;
    }
    '''
    built = load_inline("own", "torch::Tensor run(torch::Tensor x);", KERNEL, ["run"])

    class ModelNew(nn.Module):
        def forward(self, x):
            return built.run(x)
"""
LIGHT = """
    class ModelNew(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = torch.cuda._compile_kernel("{source}", "{name}")

        def forward(self, x):
            self.kernel(grid=(1, 1, 1), block=(32, 1, 1), args=[x])
            return x
"""


@needs_nvcc
@pytest.mark.parametrize("task", ["layernorm", "rmsnorm_residual", "softmax"])
def test_library_kernels_compile_for_hopper(task: str) -> None:
    candidate = kit.candidate(library_source(CUDA, task), "cuda")
    found = compile_candidate(load_task(task), candidate, kit.machine(), (90,))
    assert not found.failures
    (kernel,) = found.kernels
    assert kernel.name.endswith("_kernel")
    assert kernel.registers is not None and kernel.registers <= 64
    assert kernel.spilled_bytes == 0 and kernel.shared_bytes > 0
    assert kernel.wide_share is not None and kernel.wide_share > 0
    assert "8 (assumed) warps a block" in words(kernel)


@needs_nvcc
def test_inline_extensions_as_kernelbench_has_them() -> None:
    candidate = kit.candidate(kit.source(INLINE), "cuda")
    found = compile_candidate(kit.task(REFERENCE), candidate, kit.machine(), (80,))
    assert not found.failures
    (kernel,) = found.kernels
    assert kernel.name == "times<2>"
    assert kernel.occupancy is not None and kernel.occupancy.share == 1


@needs_nvcc
def test_an_instance_of_a_template_is_what_was_asked_for() -> None:
    text = "template <int N> __global__ void f(float* x) { x[threadIdx.x] *= N; }"
    source = kit.source(LIGHT.format(source=text, name="f<3>"))
    found = compile_candidate(
        kit.task(REFERENCE), kit.candidate(source, "cuda"), kit.machine(), (90,)
    )
    assert [kernel.name for kernel in found.kernels] == ["f<3>"]


@needs_nvcc
def test_errors_are_in_the_compilers_words() -> None:
    source = LIGHT.format(source="__global__ void f(float* x) { x[0] = missing; }", name="f")
    candidate = kit.candidate(kit.source(source), "cuda")
    found = compile_candidate(kit.task(REFERENCE), candidate, kit.machine(), (80, 90))
    assert not found.kernels and set(found.failures) == {80, 90}
    assert 'error: identifier "missing" is undefined' in found.failures[80]
    assert "x[0] = missing;" in found.failures[80]


@needs_nvcc
def test_too_much_shared_memory_is_the_assemblers_word() -> None:
    body = "__shared__ float all[99999]; all[threadIdx.x] = *x; *x = all[0];"
    text = f"__global__ void f(float* x) {{ {body} }}"
    candidate = kit.candidate(kit.source(LIGHT.format(source=text, name="f")), "cuda")
    found = compile_candidate(kit.task(REFERENCE), candidate, kit.machine(), (90,))
    assert "ptxas error" in found.failures[90] and "too much shared data" in found.failures[90]


def test_no_compiler_is_a_missing_prerequisite(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = LIGHT.format(source="__global__ void f(float* x) {}", name="f")
    candidate = kit.candidate(kit.source(source), "cuda")
    machine = kit.machine()
    monkeypatch.setattr(
        "kernelwright.verifier.gpu_compile.compilation.VARIABLES",
        {"PATH": str(tmp_path), "CUDA_HOME": str(tmp_path)},
    )
    with pytest.raises(PrerequisiteError, match="no nvcc in the sandbox"):
        compile_candidate(kit.task(REFERENCE), candidate, machine, (90,))


LOG = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z1fILi2EEvPf' for 'sm_90'
ptxas info    : Function properties for _Z1fILi2EEvPf
    0 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem
ptxas info    : Compiling entry function 'plain' for 'sm_90'
ptxas info    : Used 8 registers, used 0 barriers
"""


def test_every_kernel_has_its_part_of_the_log() -> None:
    binary = Binary(cubin="x", log=LOG, seconds=1.5)
    first, second = kernels_in(binary, {"_Z1fILi2EEvPf": {"FFMA": 3}, "helper": {"FADD": 1}}, 90)
    assert (first.name, first.registers, first.spilled_bytes) == ("f<2>", 40, 16)
    assert first.shared_bytes == 2048 and first.instructions == {"float32": 3}
    assert (second.name, second.registers, second.spilled_bytes) == ("plain", 8, None)
    assert second.shared_bytes == 0 and second.instructions == {}


def test_names_are_those_of_the_source() -> None:
    assert readable("softmax_short") == "softmax_short"
    assert readable("_Z5timesILi2EEvPKfPfi") == "times<2>"
    assert readable("_ZN12_GLOBAL__N_11fEPf") == "f"
