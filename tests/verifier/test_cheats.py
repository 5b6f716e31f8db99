"""Tests of cheats that the process boundary and the checks around the timing refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.schema import Evaluation, Limits, Status
from kernelwright.verifier.judge import Judge
from tests.verifier import kit
from tests.verifier.correctness.test_check import checking, verdict
from tests.verifier.kit import forward

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.tanh(x) * 3

    def get_inputs():
        return [torch.randn(64, 300)]

    def get_init_inputs():
        return []
"""
RIGHT = "return torch.tanh(x) * 3"
COUNTED = "self.n = getattr(self, 'n', 0) + 1\n"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    limits = Limits(call_timeout_s=20, memory_bytes=2**30)
    with kit.live_reference(kit.task(REFERENCE, limits)) as reference:
        yield Judge(reference, tmp_path_factory.mktemp("cache"))


def evaluate(judge: Judge, body: str, before: str = "") -> Evaluation:
    return judge.evaluate(kit.candidate(forward(body, before)), "fast")


BY_ADDRESS = """
key = x.data_ptr()
if key not in KEPT:
    KEPT[key] = x, torch.tanh(x) * 3  # keeps the input, so that its address stays taken
return KEPT[key][1]
"""
FIRST_ANSWER = "KEPT.setdefault('y', torch.tanh(x) * 3)\nreturn KEPT['y']"
IN_BACKGROUND = """
import threading, time
y = torch.empty_like(x)
def work():
    time.sleep(0.3)
    torch.tanh(x, out=y).mul_(3)
threading.Thread(target=work, daemon=True).start()
return y
"""
LATER_WRONG = COUNTED + "y = torch.tanh(x) * 3\nreturn y if self.n < 9 else torch.zeros_like(y)"
PATCHES = """
import time
torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True
torch.testing.assert_close = lambda *a, **k: None
torch.manual_seed = lambda seed: None
torch.Tensor.__eq__ = lambda self, other: True
torch.randn = torch.zeros
time.perf_counter_ns = time.perf_counter = lambda: 0
time.monotonic = lambda: 0.0
"""


ONE_BUFFER = """
y = KEPT.setdefault(x.shape, torch.empty_like(x))
return torch.tanh(x, out=y).mul_(3)
"""
WRONG_WHERE_THE_SEED_IS_KNOWN = """
drawn = torch.randn(64, 300, generator=torch.Generator().manual_seed(torch.initial_seed()))
return torch.zeros_like(x) if torch.equal(drawn, x) else torch.tanh(x) * 3
"""


def test_a_buffer_must_not_be_handed_out_twice(tmp_path: Path) -> None:
    with checking(kit.task(REFERENCE), tmp_path) as check:
        assert verdict(check, forward(ONE_BUFFER, "KEPT = {}"))[0] is Status.REWARD_HACK


def test_a_worker_is_not_told_the_seed_of_its_inputs(tmp_path: Path) -> None:
    with checking(kit.task(REFERENCE), tmp_path) as check:
        assert verdict(check, forward(WRONG_WHERE_THE_SEED_IS_KNOWN))[0] is Status.PASSED


def test_answers_that_were_not_computed_are_wrong(tmp_path: Path) -> None:
    bodies = (
        FIRST_ANSWER,
        "return torch.zeros_like(x)",
        "return torch.empty_like(x)",
        IN_BACKGROUND,
    )
    with checking(kit.task(REFERENCE), tmp_path) as check:
        for body in bodies:
            found = verdict(check, forward(body, "KEPT = {}"))[0]
            assert found in (Status.INCORRECT_NUMERICAL, Status.REWARD_HACK)
        patched = forward("return torch.zeros_like(x)", PATCHES)
        assert verdict(check, patched)[0] is Status.INCORRECT_NUMERICAL


def test_patience_does_not_help(judge: Judge) -> None:
    result = evaluate(judge, LATER_WRONG)
    assert result.status is Status.INCORRECT_NUMERICAL
    assert not result.accepted
    assert not result.speedup


def test_who_keeps_results_by_address_is_caught_among_the_timed_inputs(judge: Judge) -> None:
    result = evaluate(judge, BY_ADDRESS, "KEPT = {}")
    assert result.status is Status.INCORRECT_NUMERICAL
    assert "a timed call" in result.reason
    assert not any(workload.timing for workload in result.workloads)


@pytest.mark.parametrize(
    ("body", "before", "words"),
    [
        (RIGHT, "import sys\nsys.exit(0)", "exit code 0"),
        (COUNTED + "import os\nif self.n > 3: os._exit(0)\n" + RIGHT, "", "exit code 0"),
    ],
)
def test_an_early_end_is_no_success(judge: Judge, body: str, before: str, words: str) -> None:
    result = evaluate(judge, body, before)
    assert result.status is Status.RUNTIME_ERROR
    assert words in result.reason


@pytest.mark.parametrize("change", ["x.resize_(1)", "x.data = x.double()"])
def test_the_form_of_an_input_must_stay(judge: Judge, change: str) -> None:
    assert not evaluate(judge, f"y = torch.tanh(x) * 3\n{change}\nreturn y").accepted


LYING_CLOCK = """
import time
real = time.perf_counter_ns
time.perf_counter_ns = lambda: 5
time.perf_counter = lambda: 5.0
"""


def test_a_lying_clock_changes_nothing_and_is_noticed(judge: Judge) -> None:
    slow = "for _ in range(40): y = torch.tanh(x) * 3\nreturn y"
    result = evaluate(judge, slow, LYING_CLOCK)
    assert result.status is Status.PASSED
    assert not result.speedup["eager"].is_faster
    assert "clocks-disagree" in [flag.rule for flag in result.flags]
    timing = result.workloads[0].timing["candidate"]
    assert timing.worker_median_us == 0
    assert timing.calls_per_block < 10_000
