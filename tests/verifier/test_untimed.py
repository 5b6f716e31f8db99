"""Tests of Triton candidates without a GPU: values and compile-time facts, never a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.schema import Criteria, Evaluation, Level, Limits, Policy, Status
from kernelwright.verifier.judge import Judge
from tests.verifier import kit

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2
"""
KERNEL = """
    import triton
    import triton.language as tl

    @triton.jit
    def scaled(x, y, size, factor, BLOCK: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        values = tl.load(x + i, mask=i < size)
        {statement}
        tl.store(y + i, tl.maximum(values, 0.0) * factor, mask=i < size)

    class ModelNew(nn.Module):
        def forward(self, x):
            y = torch.empty_like(x)
            scaled[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), {factor}, BLOCK=64)
            return y
"""
# Python that the interpreter runs, and that Triton's compiler refuses.
ONLY_INTERPRETED = "table = {'a': 1}"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("cache")


def evaluate(
    cache: Path, source: str, level: Level = "standard", policy: Policy = "any"
) -> Evaluation:
    limits = Limits(build_timeout_s=60, call_timeout_s=30, memory_bytes=2 * 2**30)
    with kit.live_reference(kit.task(REFERENCE, limits)) as reference:
        judge = Judge(reference, cache, Criteria(policy=policy))
        return judge.evaluate(kit.candidate(source, "triton"), level)


def kernel(statement: str = "pass", factor: str = "2.0") -> str:
    return kit.source(KERNEL.format(statement=statement, factor=factor))


def test_right_values_are_accepted_and_not_timed(cache: Path) -> None:
    found = evaluate(cache, kernel())
    assert found.accepted
    assert "not timed" in found.reason
    assert not found.is_win
    assert not found.speedup and all(not w.timing and not w.speedup for w in found.workloads)
    assert all(w.correctness is not None and w.correctness.cases == 13 for w in found.workloads)
    assert found.evidence is not None and found.evidence.level == "static"
    shown = " ".join(found.evidence.facts)
    assert all(f"scaled on sm_{capability}" in shown for capability in (80, 90, 100))
    assert "registers" in shown and "occupancy" in shown


def test_fast_does_not_compile(cache: Path) -> None:
    found = evaluate(cache, kernel(), "fast")
    assert found.accepted and found.evidence is None


def test_wrong_values_are_found_in_the_interpreter(cache: Path) -> None:
    found = evaluate(cache, kernel(factor="2.001"), "fast")
    assert found.status is Status.INCORRECT_NUMERICAL


def test_a_wrong_edge_is_found_in_the_interpreter(cache: Path) -> None:
    found = evaluate(cache, kernel(statement="size -= 1"), "fast")
    assert found.status is Status.INCORRECT_NUMERICAL


def test_what_only_the_interpreter_takes_is_a_compile_error(cache: Path) -> None:
    found = evaluate(cache, kernel(statement=ONLY_INTERPRETED))
    assert found.status is Status.COMPILE_ERROR
    assert "table" in found.reason


def test_an_error_in_a_kernel_is_the_candidates(cache: Path) -> None:
    found = evaluate(cache, kernel(statement="values = tl.dot(values, values)"), "fast")
    assert found.status in (Status.RUNTIME_ERROR, Status.COMPILE_ERROR)


def test_a_kernel_that_is_never_launched_is_no_custom_code(cache: Path) -> None:
    idle = kernel().partition("class ModelNew")[0] + kit.forward("return torch.relu(x) * 2")
    allowed = evaluate(cache, idle)
    assert allowed.accepted
    assert [flag.rule for flag in allowed.flags if flag.rule == "torch-does-the-work"]
    refused = evaluate(cache, idle, policy="custom")
    assert refused.status is Status.REWARD_HACK
    assert [flag.rule for flag in refused.flags if flag.severity == "refuse"] == ["no-custom-code"]
