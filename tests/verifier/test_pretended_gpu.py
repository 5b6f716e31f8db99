"""Tests of verdicts on a GPU that a CPU plays: uploads, masks, results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from kernelwright.schema import BUSY_MACHINE, Status, Workload
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.timing import contention
from kernelwright.verifier.worker.tensor_tree import same_bits
from tests.verifier import kit
from tests.verifier.pretended_gpu import pretended_gpu

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.softmax(x, -1)

    def get_inputs():
        return [torch.rand(64, 512)]

    def get_init_inputs():
        return []
"""
TASK = kit.task(REFERENCE, workloads=(Workload(name="gpu", target="cuda"),))


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    with Reference(TASK, pretended_gpu(tmp_path, monkeypatch), 7) as found:
        yield found


def test_a_candidate_is_accepted_and_timed(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_uses = EFFORTS["standard"].model_copy(update={"uses_s": 0.0})
    monkeypatch.setitem(EFFORTS, "standard", without_uses)
    candidate = kit.candidate(kit.forward("return x.softmax(dim=1)"))
    found = Judge(reference, tmp_path).evaluate(candidate, "standard")
    assert found.accepted and not found.is_validated, found.reason
    (workload,) = found.workloads
    assert workload.correctness is not None
    assert (workload.correctness.timed_calls_checked or 0) >= 8
    assert 0.3 < found.speedup["eager"].median < 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return torch.softmax(x + 1e-3 * x, -1)", Status.INCORRECT_NUMERICAL),
        ("x += 1; return torch.softmax(x, -1)", Status.REWARD_HACK),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')", Status.OUT_OF_MEMORY),
        ("raise RuntimeError('CUDA error: an illegal memory access')", Status.RUNTIME_ERROR),
    ],
)
def test_what_is_wrong_is_refused(
    reference: Reference, tmp_path: Path, body: str, status: Status
) -> None:
    found = Judge(reference, tmp_path).evaluate(kit.candidate(kit.forward(body)), "fast")
    assert found.status is status, found.reason


STALE = """
    KNOWN = {}

    class ModelNew(nn.Module):
        def forward(self, x):
            key = x.data_ptr()
            if key not in KNOWN:
                KNOWN[key] = torch.softmax(x, -1)
            return KNOWN[key].clone()
"""


def test_results_kept_by_address_are_found_out(reference: Reference, tmp_path: Path) -> None:
    candidate = kit.candidate(kit.source(STALE))
    found = Judge(reference, tmp_path).evaluate(candidate, "fast")
    assert not found.accepted


def test_inputs_of_timed_calls_are_hidden_until_the_clock_runs(reference: Reference) -> None:
    live = reference.prepare(TASK.workloads[0])
    buffer = live.input_pool(2**20).buffer(0)
    assert buffer.mask is not None
    open_, hidden = buffer.bytes, buffer.mask.buffer.bytes
    assert (open_ == hidden).float().mean() < 0.02
    assert len(torch.unique(hidden)) == 256
    oracle = live.instance
    oracle.write_inputs(buffer.mask.buffer)
    ran = oracle.run([3], unmask_seed=buffer.mask.seed)
    shown = oracle.result(ran, 0)
    oracle.write_inputs(buffer)
    plain = oracle.result(oracle.run([3]), 0)
    assert same_bits(shown, plain)
    pool = live.input_pool(2**20)
    masks = [pool.buffer(number).mask for number in range(4)]
    assert len({mask and mask.seed for mask in masks}) == 4


def test_a_device_that_does_not_work_any_more_is_no_fault_of_the_next(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = []
    monkeypatch.setattr(Reference, "check_device", lambda self: probed.append(self))
    judge = Judge(reference, tmp_path)
    judge.evaluate(kit.candidate(kit.forward("raise ValueError('no')")), "fast")
    assert len(probed) == 1
    judge.evaluate(kit.candidate(kit.forward("return x")), "fast")
    assert len(probed) == 1


def test_a_gpu_that_others_use_decides_nothing(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contention, "gpu_processes", lambda device: {1, os.getpid()})
    monkeypatch.setattr(contention.LoadMeter, "external_cores", lambda self: 0.0)
    candidate = kit.candidate(kit.forward("return x.softmax(dim=1)"))
    found = Judge(reference, tmp_path).evaluate(candidate, "fast")
    assert found.was_disturbed and not found.is_win, (found.reason, found.flags)
    assert not found.is_validated
    (evidence,) = [flag.evidence for flag in found.flags if flag.rule == BUSY_MACHINE]
    assert evidence == "1 other processes hold memory of this GPU"
