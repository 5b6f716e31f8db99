"""The library's CUDA kernels: right where a CPU plays the GPU, and proposed where they fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.proposer import View
from kernelwright.kernels.cuda import CUDA
from kernelwright.prompts.exemplar import exemplar
from kernelwright.schema import Move
from kernelwright.tasks.loader import load_task
from tests.agents.offline_kit import imported, library_graph
from tests.kernels.cuda_emulation import compiler

INFINITY = float("inf")
MODEL = "class ModelNew(nn.Module):\n    pass\n"
# Fewer than the default, as each is a thread of this machine.
THREADS = 64


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the module with the wrappers of all kernels."""
    folder = tmp_path_factory.mktemp("cuda")
    parts = [CUDA.part(kernel, {"THREADS": THREADS}) for kernel in CUDA.kernels.values()]
    text = CUDA.file("All of them.", parts, MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "_compile_kernel", compiler(folder))
        return imported(folder / "candidate.py", text.replace(" or not x.is_cuda", ""))


ROWS = [(3, 1), (2, 5), (2, 64), (1, 1000), (4, 1024), (2, 3, 259)]


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found.double(), expected, rtol=2e-6, atol=2e-6, equal_nan=True)


@pytest.mark.parametrize("shape", ROWS)
def test_softmax(functions: Any, shape: tuple[int, ...]) -> None:
    x = 10 * torch.randn(shape)
    assert close(functions.softmax(x), torch.softmax(x.double(), -1))


def test_softmax_of_infinities_and_nan(functions: Any) -> None:
    x = torch.randn(5, 300)
    x[0, ::2] = -INFINITY
    x[1] = -INFINITY
    x[2, 17] = INFINITY
    x[3, 299] = float("nan")
    x[4, :299] = -INFINITY
    assert close(functions.softmax(x), torch.softmax(x.double(), -1))


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm(functions: Any, shape: tuple[int, ...], affine: bool) -> None:
    x = torch.randn(shape) + 1000 * affine
    weight, bias = torch.randn(2, shape[-1]) if affine else (None, None)
    wide: Any = [None if p is None else p.double() for p in (weight, bias)]
    expected = torch.nn.functional.layer_norm(x.double(), list(shape[-1:]), wide[0], wide[1], 1e-5)
    assert torch.allclose(functions.layer_norm(x, weight, bias, 1e-5).double(), expected, atol=3e-4)
    if not affine:
        assert close(functions.layer_norm(x, None, None, 1e-5), expected)


@pytest.mark.parametrize("shape", ROWS)
def test_rms_norm(functions: Any, shape: tuple[int, ...]) -> None:
    x, residual, weight = torch.randn(shape), torch.randn(shape), torch.randn(shape[-1])
    found, total = functions.rms_norm(x, residual, weight, 1e-6)
    assert torch.equal(total, x + residual)
    expected = torch.nn.functional.rms_norm(total.double(), shape[-1:], weight.double(), 1e-6)
    assert close(found, expected)
    alone = torch.nn.functional.rms_norm(x.double(), shape[-1:], None, 1e-6)
    assert close(functions.rms_norm(x, None, None, 1e-6), alone)


def test_rows_that_are_not_aligned(functions: Any) -> None:
    x = torch.randn(4 * 64 + 1)[1:].view(4, 64)
    assert x.data_ptr() % 16
    residual = torch.randn(4, 64)
    assert close(functions.softmax(x), torch.softmax(x.double(), -1))
    found, total = functions.rms_norm(x, residual, None, 1e-6)
    assert close(found, torch.nn.functional.rms_norm(total.double(), (64,), None, 1e-6))


def test_nothing_is_launched_for_nothing(functions: Any) -> None:
    for shape in ((0, 4), (4, 0)):
        x = torch.empty(shape)
        assert functions.softmax(x).shape == shape
        assert functions.layer_norm(x, None, None, 1e-5).shape == shape
        assert functions.rms_norm(x, None, None, 1e-5).shape == shape


@pytest.mark.parametrize(
    ("name", "fits"), [("softmax", True), ("rmsnorm_residual", True), ("topk", False)]
)
def test_they_are_proposed_where_they_fit(name: str, fits: bool) -> None:
    task, graph = load_task(name), library_graph(name)
    proposer = OfflineProposer(task, lambda: graph, 0)
    view = View(task, 0, Move(), (), ("cuda",))
    idea = proposer.plan(view)
    assert (idea is not None) == fits
    if idea is not None:
        found = proposer.code(view, idea)
        assert found is not None and found.backend == "cuda"
        assert "__global__" in found.source and "class ModelNew" in found.source


def test_a_coder_is_shown_an_example_in_cuda_where_there_is_one() -> None:
    text = exemplar("softmax", "cuda")
    assert "__global__" in text
    compile(text, "candidate.py", "exec")
    assert exemplar("matmul", "cuda") == ""
