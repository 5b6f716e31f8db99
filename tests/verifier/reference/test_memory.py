"""Tests of the judge's memory: what is kept, what is made again, and tasks that are too large."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from kernelwright.errors import InvalidReferenceError
from kernelwright.sandbox.available import available_bytes
from kernelwright.schema import Limits, Task
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference import memory
from kernelwright.verifier.reference.memory import CASES, LEAST_BYTES, MemoryBudget, Worth
from kernelwright.verifier.reference.workload import Call, Case, Expected
from kernelwright.verifier.timing.spot_checks import most_spot_checks
from kernelwright.verifier.worker.tensor_tree import same_bits
from tests.verifier import kit

PLAIN = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.softmax(x, -1)
"""
RANDOM = """
    class Model(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5)
"""
STATE = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(33)
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += x.mean()
            return self.norm(x) + self.seen
"""
IN_PLACE = """
    class Model(nn.Module):
        def forward(self, x):
            return x.mul_(2).sum(0)
"""


def same(left: Expected, right: Expected) -> bool:
    pairs = list(zip(left, right, strict=True))
    return all((a is None) == (b is None) for a, b in pairs) and all(
        same_bits(a, b) for a, b in pairs if a is not None and b is not None
    )


def test_what_came_first_stays_unless_something_is_worth_more() -> None:
    budget = MemoryBudget(100)
    for number in range(4):
        budget.keep(number, str(number), 40, Worth.INPUTS)
    assert [budget.get(number) for number in range(4)] == ["0", "1", None, None]
    budget.keep("case", "case", 40, Worth.CASE)
    assert [budget.get(key) for key in (0, 1, "case")] == ["0", None, "case"]
    budget.keep("large", "large", 101, Worth.CASE)
    budget.keep("expected", "expected", 40, Worth.EXPECTED)
    assert [budget.get(key) for key in (0, "case", "large", "expected")] == [
        "0",
        "case",
        None,
        None,
    ]


def test_use_evicts_what_is_worth_least_and_ends() -> None:
    budget = MemoryBudget(100)
    budget.keep("case", 1, 40, Worth.CASE)
    budget.keep("inputs", 2, 40, Worth.INPUTS)
    with budget.used(30):
        assert (budget.get("case"), budget.get("inputs")) == (1, None)
        budget.keep("inputs", 2, 40, Worth.INPUTS)
        assert budget.get("inputs") is None
    budget.keep("inputs", 2, 40, Worth.INPUTS)
    assert budget.get("inputs") == 2
    with budget.used(1000):  # more than there is: it is used all the same, and nothing is kept
        assert (budget.get("case"), budget.get("inputs")) == (None, None)


def test_a_value_kept_again_takes_the_place_of_the_first() -> None:
    budget = MemoryBudget(100)
    for nbytes in (40, 90):
        budget.keep("inputs", nbytes, nbytes, Worth.INPUTS)
        assert budget.get("inputs") == nbytes


@pytest.mark.parametrize("text", [PLAIN, RANDOM, STATE, IN_PLACE])
def test_what_is_not_kept_is_made_again_bit_by_bit(text: str) -> None:
    with kit.live_reference(kit.task(text)) as live:
        work = live.prepare(live.workloads()[0])
        prepared = work.perturbed
        keys = EFFORTS["standard"].cases
        kept = [work.case(prepared, *key) for key in keys]
        assert work.case(prepared, *keys[0]) is kept[0]
        pool = work.input_pool(2**12)
        buffer = pool.buffer(3)
        call = Call(prepared.example_inputs, 5)
        expected = work.expect(prepared, call, place=(3, 0))
        assert pool.buffer(3) is buffer
        live.memory.nbytes = 0
        with live.memory.used(0):  # evicts everything
            for old, key in zip(kept, keys, strict=True):
                new = work.case(prepared, *key)
                assert new is not old
                assert (new.seed, new.distribution) == (old.seed, old.distribution)
                assert same_bits(new.inputs, old.inputs)
                assert same(new.expected, old.expected)
            again = pool.buffer(3)
            assert again is not buffer
            assert all(map(same_bits, again.sets, buffer.sets))
            assert same(work.expect(prepared, call, place=(3, 0)), expected)


def test_a_distribution_that_failed_is_not_tried_again() -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x):
                if float(x.abs().max()) > 1000:
                    raise ValueError("too large")
                return x + 1
    """
    with kit.live_reference(kit.task(text)) as live:
        work = live.prepare(live.workloads()[0])
        prepared = work.prepared
        live.memory.nbytes = 0
        found = [work.case(prepared, 3, "extreme") for _ in range(2)]
        oracle = live.oracle.client
        found.append(work.case(prepared, 3, "extreme"))
        assert live.oracle.client is oracle
        assert {case.distribution for case in found} == {"reference"}
        assert work.distribution(prepared, 3, "extreme") == "reference"
        assert isinstance(found[0], Case) and same_bits(found[0].inputs, found[2].inputs)


def large(elements: int) -> Task:
    text = f"""
        ROWS, columns, scale = {elements // 1000}, 1000, 2

        class Model(nn.Module):
            def forward(self, x):
                return x * torch.arange(columns, dtype=torch.float32) * 1e-3

        def get_inputs():
            return [torch.randn(ROWS, 1)]

        def get_init_inputs():
            return []
    """
    return kit.task(text, Limits(call_timeout_s=120, memory_bytes=2**31))


def test_a_task_that_is_too_large_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    with kit.live_reference(large(20_000_000)) as live:
        with pytest.raises(InvalidReferenceError) as caught:
            live.prepare(live.workloads()[0])
        assert re.search(
            r"workload 'default' needs about \d+\.\d GB of memory \(the judge up to 960 MB, "
            r"its workers about \d+\.\d GB\), and 1\.\d GB are there",
            caught.value.message,
        )
        assert "--set NAME=VALUE" in (caught.value.hint or "")
        assert "ROWS=20000, columns=1000, scale=2" in (caught.value.hint or "")


def test_the_budget_follows_the_largest_case() -> None:
    with kit.live_reference(large(20_000_000)) as live:
        work = live.prepare(live.workloads()[0])
        case = 20_000 * 4 + 20_000_000 * (4 + 8)
        assert work.prepared.case_bytes == case
        assert live.memory.nbytes == CASES * case > LEAST_BYTES
        assert "the judge up to 960 MB" in live.memory_words
        assert most_spot_checks(work, EFFORTS["strict"]) == 5
    with kit.live_reference(kit.task(PLAIN)) as live:
        work = live.prepare(live.workloads()[0])
        assert live.memory.nbytes == LEAST_BYTES
        assert most_spot_checks(work, EFFORTS["strict"]) == EFFORTS["strict"].spot_checks


def test_the_system_says_how_much_memory_there_is() -> None:
    found = available_bytes()
    assert found is not None and found > 2**26


# 1.3 GB would be held at once otherwise: 13 cases of 72 MB, and 14 results of 24 MB.
PEAK = """
import re, sys, tempfile
from pathlib import Path
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.levels import EFFORTS
from tests.verifier import kit
from tests.verifier.reference.test_memory import large

task = large(6_000_000)
with kit.live_reference(task) as live:
    prepared = live.prepare(live.workloads()[0])
    with kit.worker_with(live.machine, task.limits) as client:
        text = task.source.replace("class Model(", "class ModelNew(")
        check = WorkloadCheck.load(live, kit.candidate(text), client, prepared)
        print(check.run(EFFORTS["standard"]).correctness.cases)
    print(live.memory.nbytes)
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""


def test_the_judge_stays_within_its_budget() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    cases, budget, peak = map(int, done.stdout.split())
    assert cases == len(EFFORTS["standard"].cases)
    assert budget == LEAST_BYTES
    assert peak <= budget + 500 * 10**6
