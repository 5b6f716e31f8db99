"""Values that the judge accepts. One worker holds all candidates of a task, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from kernelwright.schema import Level, Status, Task, Workload, WorkloadResult
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.worker.faults import WorkerFault, Wrong
from tests.verifier import kit
from tests.verifier.kit import forward, source

Check = Callable[[str], WorkloadResult]


@contextmanager
def checking(task: Task, cache: Path, level: Level = "standard") -> Iterator[Check]:
    """Yield a correctness check of candidates for a task, in one worker."""
    with kit.live_reference(task) as reference:
        prepared = reference.prepare(reference.workloads()[0])
        judge = Judge(reference, cache)
        with kit.worker_with(reference.machine, task.limits) as client:

            def check(text: str) -> WorkloadResult:
                check = WorkloadCheck.load(judge.reference, kit.candidate(text), client, prepared)
                return check.run(EFFORTS[level])

            yield check


def verdict(check: Check, text: str) -> tuple[Status, str]:
    """Return status and reason of a candidate that leaves its worker alive."""
    try:
        check(text)
    except WorkerFault as fault:
        return fault.status, fault.reason
    except Wrong as wrong:
        return wrong.status, wrong.reason
    return Status.PASSED, ""


SOFTMAX = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.softmax(x, -1)
"""
SHIFTED = "e = torch.exp(x - x.amax(-1, keepdim=True))\n"


@pytest.fixture(scope="module")
def softmax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Check]:
    with checking(kit.task(SOFTMAX), tmp_path_factory.mktemp("cache")) as check:
        yield check


@pytest.mark.parametrize(
    "body",
    [
        "return torch.softmax(x, -1)",
        SHIFTED + "return e / e.sum(-1, keepdim=True)",
        SHIFTED + "return (e.flip(-1) / e.flip(-1).cumsum(-1)[:, -1:]).flip(-1)",
        "return torch.softmax(x.double(), -1).float()",
        "return torch.softmax(x, -1).T.contiguous().T",
        "return torch.softmax(x, -1).requires_grad_()",
    ],
)
def test_right_values_pass_however_they_were_made(softmax: Check, body: str) -> None:
    result = softmax(forward(body))
    assert result.correctness is not None
    assert result.correctness.golden == "float64"
    assert result.correctness.bitwise_repeatable
    assert result.correctness.cases == len(EFFORTS["standard"].cases)
    assert (result.correctness.worst_margin or 0) <= 1
    assert result.correctness.weights == "none"
    assert not result.timing


RIGHT = "y = torch.softmax(x, -1)\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (RIGHT + "return y[:, :-1]", Status.INCORRECT_SHAPE),
        (RIGHT + "return y[None]", Status.INCORRECT_SHAPE),
        (RIGHT + "return y.sum()", Status.INCORRECT_SHAPE),
        (RIGHT + "return y, y", Status.INCORRECT_SHAPE),
        (RIGHT + "return (y,)", Status.INCORRECT_SHAPE),
        (RIGHT + "return [y]", Status.INCORRECT_SHAPE),
        ("return None", Status.INCORRECT_SHAPE),
        ("return 3.0", Status.INCORRECT_SHAPE),
        (RIGHT + "return y.half()", Status.INCORRECT_DTYPE),
        (RIGHT + "return y.double()", Status.INCORRECT_DTYPE),
        ("return torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)", Status.INCORRECT_NUMERICAL),
        ("return torch.softmax(x, 0)", Status.INCORRECT_NUMERICAL),
        ("return torch.zeros_like(x)", Status.INCORRECT_NUMERICAL),
        ("return torch.full_like(x, 1 / x.shape[-1])", Status.INCORRECT_NUMERICAL),
        ("return torch.full_like(x, float('nan'))", Status.INCORRECT_NUMERICAL),
        ("return torch.softmax(x.bfloat16(), -1).float()", Status.INCORRECT_NUMERICAL),
        (RIGHT + "y[3, 5] *= 1.001\nreturn y", Status.INCORRECT_NUMERICAL),
        (RIGHT + "y[-1, -1] = float('inf')\nreturn y", Status.INCORRECT_NUMERICAL),
        (RIGHT + "return y + torch.rand_like(y) * 1e-3", Status.INCORRECT_NUMERICAL),
        (RIGHT + "x.mul_(2)\nreturn y", Status.REWARD_HACK),
        (RIGHT + "x.copy_(y)\nreturn x", Status.REWARD_HACK),
        (RIGHT + "return x.copy_(y).clone()", Status.REWARD_HACK),
        (RIGHT + "return y[:, :1].expand(-1, 33)", Status.REWARD_HACK),
        (RIGHT + "return y.to('meta')", Status.INCORRECT_DTYPE),
    ],
)
def test_wrong_values_have_a_status_each(softmax: Check, body: str, status: Status) -> None:
    found, reason = verdict(softmax, forward(body))
    assert found is status
    assert reason
    assert len(reason) < 300


def test_a_wrong_answer_keeps_its_evidence(softmax: Check) -> None:
    with pytest.raises(
        Wrong, match=r"workload 'default', reference inputs: .* values are wrong"
    ) as caught:
        softmax(forward("return torch.zeros_like(x)"))
    assert caught.value.result is not None
    correctness = caught.value.result.correctness
    assert correctness is not None
    assert (correctness.worst_margin or 0) > 1
    assert correctness.bitwise_repeatable
    assert caught.value.wrong is not None
    assert (caught.value.wrong.pattern, caught.value.wrong.kind) == ("all of them", "0 there")


@pytest.mark.parametrize("role", ["test", "hidden"])
def test_places_are_told_of_shown_workloads_only(
    tmp_path: Path, role: Literal["test", "hidden"]
) -> None:
    subject = kit.task(SOFTMAX, workloads=(Workload(name="one", role=role),))
    with checking(subject, tmp_path) as check, pytest.raises(Wrong) as caught:
        check(forward(RIGHT + "y[:, -2:] = 0\nreturn y"))
    wrong = caught.value.wrong
    assert (wrong is None) is (role == "hidden")
    if wrong is not None:
        assert wrong.words[0].endswith("values are wrong: the last 2 columns; 0 there")
        assert wrong.first.got == "0"


OPERATORS = """
    class Model(nn.Module):
        def forward(self, x, labels, flag):
            values, order = x.topk(3)
            return {"values": [values, order], "n": 3}, (labels[:4] + 1, x[0, 0] > 0, flag)

    def get_inputs():
        return [torch.randn(6, 17), torch.randint(9, (6,)), True]

    def get_init_inputs():
        return []
"""


def test_nests_integers_and_booleans(tmp_path: Path) -> None:
    method = "class ModelNew(nn.Module):\n    def forward(self, x, labels, flag):\n        "
    right = """values, order = torch.sort(x, descending=True)
        pair = [values[:, :3], order[:, :3]]
        return {"values": pair, "n": 3}, (labels[:4] + 1, x[0, 0] > 0, flag)
    """
    changes = {
        "order[:, :3]]": ("order[:, 1:4]]", Status.INCORRECT_NUMERICAL),
        "order[:, :3]] ": ("order[:, :3].int()]", Status.INCORRECT_DTYPE),
        '"n": 3': ('"n": 4', Status.INCORRECT_SHAPE),
        "x[0, 0] > 0": ("x[0, 0] <= 0", Status.INCORRECT_NUMERICAL),
        "labels[:4] + 1": ("labels[:4] + 2", Status.INCORRECT_NUMERICAL),
        "labels[:4] + 1, x[0, 0]": ("labels[:4].add_(1), x[0, 0]", Status.REWARD_HACK),
        "pair = [": ("labels.zero_(); pair = [", Status.REWARD_HACK),
    }
    with checking(kit.task(OPERATORS), tmp_path) as check:
        assert verdict(check, source("") + method + right) == (Status.PASSED, "")
        for old, (new, status) in changes.items():
            changed = right.replace(old.strip(), new)
            assert changed != right
            found, reason = verdict(check, source("") + method + changed)
            assert (found, bool(reason)) == (status, True), new


CANCELS = """
    class Model(nn.Module):
        def forward(self, x):
            return (x[:, ::2] - x[:, 1::2]) * 1e6

    def get_inputs():
        return [1 + 1e-3 * torch.rand(8, 32)]

    def get_init_inputs():
        return []
"""


def test_another_order_of_badly_conditioned_operations_is_right(tmp_path: Path) -> None:
    """Check a reference that subtracts exactly, so that its own error excuses no other."""
    with checking(kit.task(CANCELS), tmp_path) as check:
        assert verdict(check, forward("x = x * 1e6\nreturn x[:, ::2] - x[:, 1::2]"))[0] is (
            Status.PASSED
        )
        low = "x = x.bfloat16().float()\nreturn (x[:, ::2] - x[:, 1::2]) * 1e6"
        assert verdict(check, forward(low))[0] is Status.INCORRECT_NUMERICAL
        off = "return (x[:, ::2] - x[:, 1::2]) * 1e6 + 5"
        assert verdict(check, forward(off))[0] is Status.INCORRECT_NUMERICAL
