"""Every backend builds and runs in the confined sandboxes, from nothing and from the cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Status
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer.asan import INCOMPLETE, UNAVAILABLE
from tests.honest.test_honest import PAIRS
from tests.sandbox.kit import opened
from tests.verifier import kit

TASK = "softmax"
SIZES = {"ROWS": 64, "COLS": 128}
EXTENSION = '''
from torch.utils.cpp_extension import load_inline
SOURCE = """
#include <torch/extension.h>
torch::Tensor softmax(torch::Tensor x) { return torch::softmax(x, -1); }
"""
mine = load_inline("mine", SOURCE, functions=["softmax"])
class ModelNew(torch.nn.Module):
    def forward(self, x):
        return mine.softmax(x)
'''


@pytest.fixture(scope="module", params=["docker", "bwrap"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with opened(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def judge(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    task = load_task(TASK, dict(SIZES))
    bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
    task = task.model_copy(update={"workloads": bench})
    with Reference(task, Machine(sandbox, 1, "cpu"), kit.SEED) as reference:
        yield Judge(reference, tmp_path_factory.mktemp("cache"))


def candidates() -> dict[str, Candidate]:
    compiled = """
        class ModelNew(nn.Module):
            def __init__(self):
                super().__init__()
                self.run = torch.compile(lambda x: torch.softmax(x, -1))
            def forward(self, x):
                return self.run(x)
    """
    return {
        "library": next(p.candidate for p in PAIRS if p.name == f"{TASK}/library-default"),
        "inductor": kit.candidate(kit.source(compiled), "inductor"),
        "extension": kit.candidate("import torch\n" + EXTENSION, "cpp"),
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["library", "inductor", "extension"])
def test_it_is_built_once_and_passes(judge: Judge, name: str) -> None:
    candidate = candidates()[name]
    first = judge.evaluate(candidate, "fast")
    assert first.status is Status.PASSED, first.reason
    assert first.build_s is not None
    again = judge.evaluate(candidate, "fast")
    assert again.status is Status.PASSED, again.reason
    assert again.build_s is None


@pytest.mark.timeout(600)
def test_the_sanitizers_run(judge: Judge) -> None:
    """Check that sanitizers run: their workers are new programs, with a compiler of their own."""
    result = judge.evaluate(candidates()["library"], "strict")
    assert result.status is Status.PASSED, result.reason
    assert not [flag for flag in result.flags if flag.rule in (INCOMPLETE, UNAVAILABLE)]
