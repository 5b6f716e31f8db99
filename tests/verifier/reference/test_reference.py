"""Tests of invalid references: one sentence, a hint, and no process left."""

from __future__ import annotations

import pytest

from kernelwright.errors import InfrastructureError, InvalidReferenceError
from kernelwright.schema import Limits, Task, Workload
from kernelwright.testing.sandbox import until
from tests.verifier import kit

MODEL = """
    class Model(nn.Module):
        def forward(self, x):
            return {result}

    def get_inputs():
        return {inputs}

    def get_init_inputs():
        return {init}
"""


@pytest.fixture(scope="module", autouse=True)
def forkserver() -> None:
    """Start the fork server, which stays and must not count as a process that was left."""
    with kit.worker_with(kit.machine(), Limits()):
        pass


def reference(
    result: str = "x + 1", inputs: str = "[torch.rand(4, 4)]", init: str = "[]", before: str = ""
) -> Task:
    text = before + "\n" + kit.source(MODEL.format(result=result, inputs=inputs, init=init))
    return kit.task(text, Limits(call_timeout_s=2.5, memory_bytes=2**30))


@pytest.mark.parametrize(
    ("task", "message", "hint"),
    [
        (reference("x @ torch.ones(5)"), "runtime_error: RuntimeError: size mismatch", "one file"),
        (reference(before="import sys; sys.exit(0)"), "exit code 0", "one file"),
        (reference("3.0"), "forward() returns no tensor", "a tensor"),
        (reference("torch.ones(3)", "[1, 2]"), "get_inputs() returns no tensor", "list"),
        (reference("x * (time.perf_counter_ns() % 999_983)", before="import time"),
         "not repeatable", "from torch"),
        (reference("time.sleep(600)", before="import time"), "timeout: run did not", "--set"),
        (reference(inputs="[torch.rand(2**40)]"), "out_of_memory", "--set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_reference_that_cannot_be_used(task: Task, message: str, hint: str) -> None:
    running = kit.children()
    with kit.live_reference(task) as live:
        with pytest.raises(InvalidReferenceError) as caught:
            live.prepare(live.workloads()[0])
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert until(lambda: kit.children() <= running)


@pytest.mark.parametrize("change", ["self.mean.lerp_(x.mean(0), 1 / self.calls)", "pass"])
def test_whether_results_depend_on_earlier_calls(change: str) -> None:
    # On the same inputs the mean of all calls is that of the first.
    model = f"""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("mean", torch.zeros(33))
                self.register_buffer("calls", torch.zeros(()))

            def forward(self, x):
                self.calls += 1
                {change}
                return x - self.mean
    """
    with kit.live_reference(kit.task(model)) as live:
        traits = live.prepare(live.workloads()[0]).prepared.traits
    assert traits.mutates_state
    assert traits.depends_on_history is (change != "pass")


def test_a_task_without_a_workload_for_this_device() -> None:
    task = kit.task("", workloads=(Workload(name="gpu", target="cuda"),))
    with kit.live_reference(task) as live:
        with pytest.raises(InvalidReferenceError, match="no workload for cpu"):
            live.workloads()


def test_expected_values_outlive_the_worker_and_inputs_are_secret() -> None:
    with kit.live_reference(reference()) as live:
        work = live.prepare(live.workloads()[0])
        prepared = work.prepared
        first, other = work.case(prepared, 0, "reference"), work.case(prepared, 1, "reference")
        assert not first.inputs.tensors[0].equal(other.inputs.tensors[0])
        assert first.expected.golden is not None
        assert first.expected.values.tensors[0].equal(first.inputs.tensors[0] + 1)
        live.close()
        assert work.case(prepared, 0, "reference") is first
        assert live.prepare(live.workloads()[0]) is work
        sets = [s for number in (0, 1) for s in work.input_pool(2**12).buffer(number).sets]
        assert len({float(values.tensors[0].sum()) for values in sets}) == len(sets) > 1


def test_a_reference_that_does_not_compile_has_one_baseline_less() -> None:
    with kit.live_reference(reference(before="import torch\ntorch.compile = None")) as live:
        work = live.prepare(live.workloads()[0])
        assert work.baseline("compile") is None
        assert work.baseline("compile") is None
        assert work.baseline("eager") is not None


def test_a_baseline_that_breaks_is_the_systems_fault_in_eager_and_unknown_in_compile() -> None:
    model = "class Model(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
    with kit.live_reference(kit.task(kit.source(model))) as reference:
        whole = reference.prepare(reference.workloads()[0]).perturbed
        broken = whole._replace(source="raise RuntimeError('broken')")
        with pytest.raises(InfrastructureError, match="worked once and then failed: RuntimeError"):
            reference.baselines.instance(broken, "eager")
        assert reference.baselines.instance(broken, "compile") is None
        assert reference.baselines.instance(whole, "eager") is not None


def test_a_workload_that_is_compiled_ahead_is_compiled_once() -> None:
    with kit.live_reference(reference()) as live:
        work = live.prepare(live.workloads()[0])
        work.compile_ahead()
        work.compile_ahead()
        first = work.baseline("compile")
        assert first is not None
        work.compile_ahead()
        assert work.baseline("compile") is first


def test_a_reference_that_is_closed_leaves_no_worker_that_compiles() -> None:
    with kit.live_reference(reference()) as live:
        before = kit.children()
        work = live.prepare(live.workloads()[0])
        _ = work.perturbed
        work.compile_ahead()
        until(lambda: len(kit.children()) > len(before) + 1)
    until(lambda: kit.children() <= before)
