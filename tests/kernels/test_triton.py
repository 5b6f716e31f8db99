"""The library's Triton kernels: right in Triton's interpreter, and proposed where they fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernelwright.agents.offline.design import NotCoveredError, design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.offline.trace import trace
from kernelwright.agents.proposer import View
from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.library import SOURCES, Kernel
from kernelwright.kernels.triton import TRITON
from kernelwright.prompts.exemplar import exemplar
from kernelwright.schema import Move
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from tests.agents.offline_kit import library_graph
from tests.honest.corpus import LIBRARY, library_source
from tests.verifier import kit


def test_every_kernel_there_is_in_cpp_is_there_in_triton() -> None:
    assert TRITON.kernels.keys() == CPP.kernels.keys()
    for name, kernel in TRITON.kernels.items():
        assert kernel.category == CPP.kernels[name].category


@pytest.mark.parametrize("kernel", TRITON.kernels.values(), ids=list(TRITON.kernels))
def test_tunables_are_constants_of_the_file(kernel: Kernel) -> None:
    text = (SOURCES / "triton" / f"{kernel.name}.py").read_text()
    for name, values in kernel.tunables.items():
        constant = f"{kernel.name.upper()}_{name}"
        assert re.search(rf"(?m)^{constant} = {values[0]}$", text), constant
        assert len(set(values)) == len(values) > 1


def test_chosen_tunables_are_in_the_file() -> None:
    text = TRITON.part(TRITON.kernels["softmax"], {"WARPS": 16}).source
    assert "\nSOFTMAX_WARPS = 16\n" in text and "SOFTMAX_BLOCK = 16384" in text


@pytest.mark.parametrize("name", LIBRARY)
def test_values_are_right_in_the_interpreter(name: str, tmp_path: Path) -> None:
    """Check odd and hidden sizes only: programs run one by one, so large ones take minutes."""
    task = load_task(name)
    small = tuple(w for w in task.workloads if w.target == "cpu" and w.role != "bench")
    task = task.model_copy(update={"workloads": small})
    candidate = kit.candidate(library_source(TRITON, name), "triton")
    with kit.live_reference(task) as reference:
        found = Judge(reference, tmp_path).evaluate(candidate, "fast")
    assert found.accepted, found.reason
    assert all(w.correctness is not None and w.correctness.cases == 4 for w in found.workloads)


@pytest.mark.parametrize("name", ["softmax", "matmul_bias_gelu", "rmsnorm_residual"])
def test_they_are_proposed_for_a_traced_graph(name: str) -> None:
    task, graph = load_task(name), library_graph(name)
    proposer = OfflineProposer(task, lambda: graph, 0)
    view = View(task, 0, Move(), (), ("triton",))
    idea = proposer.plan(view)
    assert idea is not None and idea.backend == "triton"
    found = proposer.code(view, idea)
    assert found is not None
    assert "import triton" in found.source and "class ModelNew" in found.source
    assert found.origin.description.startswith("Triton kernels: ")


GROUP_NORM = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.GroupNorm(3, 6)

        def forward(self, x):
            return self.norm(x), nn.functional.group_norm(x, 2)

    def get_inputs():
        return [torch.randn(2, 6, 5, 7)]

    def get_init_inputs():
        return []
"""


def test_group_norm_is_right_in_the_interpreter(tmp_path: Path) -> None:
    task = kit.task(GROUP_NORM)
    with kit.live_reference(task) as reference:
        graph = trace(reference, print)
        arguments = forward_arguments(task.source)
        assert graph is not None and arguments is not None
        plan = design(graph, arguments, TRITON)
        text = library_candidate(task.source, "Group norm.", plan, {"group_norm.BLOCK": 2048})
        found = Judge(reference, tmp_path).evaluate(kit.candidate(text, "triton"), "fast")
    assert plan.kernels == ("group_norm",)
    assert found.accepted, found.reason


def test_generated_kernels_are_cpp_only() -> None:
    task = load_task("elementwise_chain")
    arguments = forward_arguments(task.source)
    assert arguments is not None
    with pytest.raises(NotCoveredError, match="nothing fits: "):
        design(library_graph("elementwise_chain"), arguments, TRITON)


@pytest.mark.parametrize("category", ["softmax", "matmul"])
def test_a_coder_is_shown_an_example_in_its_language(category: str) -> None:
    assert "@triton.jit" in exemplar(category, "triton")
    assert 'extern "C"' in exemplar(category, "cpp")
    assert exemplar(category, "inductor") == ""


@pytest.mark.parametrize("category", ["unheard of", None])
def test_a_coder_is_shown_no_kernel_of_another_kind(category: str | None) -> None:
    assert exemplar(category, "triton") == exemplar(category, "cpp") == ""
