"""Tests that a candidate that ends, blocks or floods its worker becomes a status, and is gone."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kernelwright.sandbox.linux_worker import LinuxWorker
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Limits, Status
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from tests.verifier.kit import called, forward, gone, load, machine, worker_with

LIMITS = Limits(call_timeout_s=20, memory_bytes=2**30)


@pytest.fixture
def where() -> Machine:
    return machine()


class Outcome(NamedTuple):
    """The outcome of a candidate's call."""

    status: Status
    reason: str


def fault(where: Machine, text: str, timeout_s: float = 20.0) -> Outcome:
    """Import and call a candidate once; return its fault, and check that its processes are gone."""
    with worker_with(where, LIMITS) as client:
        assert isinstance(client.process, LinuxWorker)
        group = client.process.pid
        with pytest.raises(WorkerFault) as caught:
            instance = load(client, text)
            hurried = WorkerClient(client.process, LIMITS.memory_bytes, timeout_s)
            called(Instance(hurried, instance.key, instance.init), 1.0)
    assert gone(group)
    return Outcome(caught.value.status, caught.value.reason)


CHANNEL = "import os, sys\nfd = int(sys.argv[1])"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (forward("return x", "import sys\nsys.exit(0)"), "the worker ended with exit code 0"),
        (
            forward('import os\nprint(\'{"status": "passed"}\', flush=True)\nos._exit(0)'),
            'the worker ended with exit code 0; it printed:\n{"status": "passed"}',
        ),
        (forward("import ctypes\nctypes.string_at(0)"), "Segmentation fault"),
        (forward(f"{CHANNEL}\nos.write(fd, b'garbage' * 99)"), "the worker sent a frame of"),
    ],
    ids=["exit", "json", "segfault", "garbage"],
)
def test_a_worker_that_does_not_answer_is_a_runtime_error(
    where: Machine, text: str, words: str
) -> None:
    outcome = fault(where, text)
    assert outcome.status is Status.RUNTIME_ERROR
    assert words in outcome.reason
    assert len(outcome.reason) < 1500


def test_a_traceback_is_trimmed_to_the_candidates_own_frames(where: Machine) -> None:
    outcome = fault(where, forward("return torch.ones(2, 3) @ torch.ones(2, 3)"))
    lines = outcome.reason.splitlines()
    assert lines[0].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert 'File "candidate.py", line' in outcome.reason
    assert "worker.py" not in outcome.reason


def test_an_endless_loop_is_a_timeout_and_its_children_die_too(where: Machine) -> None:
    children = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nwhile True: pass"
    outcome = fault(where, forward(children), timeout_s=1.0)
    assert outcome == (Status.TIMEOUT, "run did not answer within 1 s")


def test_a_memory_bomb_is_out_of_memory(where: Machine) -> None:
    bomb = forward("return [bytearray(2**28) for _ in range(99)], torch.ones(2**40)")
    assert fault(where, bomb).status is Status.OUT_OF_MEMORY


def test_a_file_under_the_same_name_replaces_the_one_before(where: Machine) -> None:
    with worker_with(where, LIMITS) as client:
        for value in (1.5, 2.5, 3.5):  # sources of one size, within one second
            instance = load(client, forward(f"return {value}"))
            assert called(instance, 0).unpacked() == value
