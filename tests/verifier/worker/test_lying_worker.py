"""Tests that replies are checked: every lie over the channel is the candidate's fault."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.schema import Status
from kernelwright.verifier.inside.worker import PREFIX
from kernelwright.verifier.worker.channel import Channel
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.tensor_tree import packed

ONE_FLOAT = {"dtype": "float32", "shape": [1], "order": [0]}
HUGE = {"dtype": "float32", "shape": [2**32], "order": [0]}
LIMIT = 2**20


class Liar:
    """A worker process with nothing real but its channel: the test writes its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inside = folder, str(folder)
        self.channel, self.far = socket.socketpair()
        self.said = ""
        self.foreign_cores: set[int] = set()
        self.pid, self.shared = os.getpid(), -1

    def freeze(self) -> float:
        """Return 0, as nothing runs."""
        return 0.0

    def thaw(self) -> None:
        """Do nothing, as nothing runs."""

    def release(self) -> None:
        """Do nothing, as nothing runs."""

    def kill(self) -> None:
        self.channel.close()
        self.far.close()

    def exit_status(self, timeout_s: float) -> int | None:
        return None

    def cpu_seconds(self) -> float | None:
        return None

    def escaped(self) -> list[int]:
        return []

    def stderr(self) -> str:
        return self.said

    def answer(self, header: Any, body: bytes = b"", declared: int | None = None) -> None:
        """Send a frame; the declared body length is the true one unless given."""
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        length = len(body) if declared is None else declared
        self.far.sendall(PREFIX.pack(len(text), length) + text + body)


@pytest.fixture
def liar(tmp_path: Path) -> Iterator[Liar]:
    worker = Liar(tmp_path)
    yield worker
    worker.kill()


@pytest.fixture
def instance(liar: Liar) -> Instance:
    return Instance(WorkerClient(liar, LIMIT, 0.3), "key", packed([]))


def stated(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"op": "state", "value": {"l": []}, "tensors": list(entries), **more}


HEADERS: list[Any] = [
    b"", b"{", b"\xff\xfe", b"null", b"[]", b'"state"', b"3", b"[" * 100_000, b"{}",
    b'{"op": ' + b"9" * 5000 + b"}",
    {"op": "put", "tensors": []},
    {"op": "state"},
    {"op": "state", "tensors": {}},
    stated(5),  # type: ignore[arg-type]
    stated({"dtype": "float32", "shape": [1]}),
    stated({**ONE_FLOAT, "more": 1}),
    stated({**ONE_FLOAT, "shape": [-1]}),
    stated({**ONE_FLOAT, "shape": [1.0]}),
    stated({**ONE_FLOAT, "shape": [True]}),
    stated({**ONE_FLOAT, "shape": "1"}),
    stated({**ONE_FLOAT, "shape": [2**60]}),
    stated({**ONE_FLOAT, "shape": [1] * 40, "order": list(range(40))}),
    stated({**ONE_FLOAT, "dtype": "float33"}),
    stated({**ONE_FLOAT, "dtype": "nn"}),
    stated({**ONE_FLOAT, "dtype": ["float32"]}),
    stated({**ONE_FLOAT, "order": [1]}),
    stated({**ONE_FLOAT, "order": [0, 0]}),
    stated({**ONE_FLOAT, "order": ["0"]}),
    stated({**ONE_FLOAT, "order": [False]}),
    stated({"dtype": "float32", "shape": [1, 1], "order": [0, "1"]}),
    stated(ONE_FLOAT, ONE_FLOAT),
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_nonsense_is_a_runtime_error(liar: Liar, instance: Instance, header: Any) -> None:
    liar.answer(header, b"\0" * 4)
    with pytest.raises(WorkerFault) as caught:
        instance.state()
    assert caught.value.status is Status.RUNTIME_ERROR
    assert caught.value.reason.startswith("the worker sent ")


@pytest.mark.parametrize(("header", "body"), [(2**31, 0), (2, LIMIT + 1), (2, 2**63)])
def test_oversized_frames_are_refused_unread(
    liar: Liar, instance: Instance, header: int, body: int
) -> None:
    liar.far.sendall(PREFIX.pack(header, body))
    with pytest.raises(WorkerFault, match="a frame of") as caught:
        instance.state()
    assert caught.value.status is Status.RUNTIME_ERROR


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (HUGE, Status.INCORRECT_SHAPE),
        ({**HUGE, "shape": [2]}, Status.INCORRECT_SHAPE),
        ({**ONE_FLOAT, "dtype": "int32"}, Status.INCORRECT_DTYPE),
    ],
)
def test_a_tensor_that_is_not_expected_is_not_even_allocated(
    liar: Liar, tmp_path: Path, entry: dict[str, Any], status: Status
) -> None:
    size = entry["shape"][0] * 4
    liar.answer(stated(entry), declared=size)  # the client must not wait for its bytes
    with pytest.raises(WorkerFault) as caught:
        Channel(liar, 2**40, 0.3).request("state", expect=[Spec(torch.float32, (1,))])
    assert caught.value.status is status


def test_operations_without_results_take_none(liar: Liar) -> None:
    roomy = Instance(WorkerClient(liar, 2**40, 0.3), "key", packed([]))
    liar.answer({"op": "run", "tensors": [HUGE]}, declared=2**34)
    with pytest.raises(WorkerFault, match="tensors where none belong"):
        roomy.run([0])


@pytest.mark.parametrize("ns", [None, -1, 1.5, "3", True, 10**400, [1]])
def test_a_run_needs_a_time(liar: Liar, instance: Instance, ns: Any) -> None:
    liar.answer({"op": "run", "ns": ns, "tensors": []})
    with pytest.raises(WorkerFault, match="no time of the run"):
        instance.run([0])


PLACED = {**ONE_FLOAT, "strides": [1], "device": "cpu", "conj": False, "neg": False}
del PLACED["order"]


@pytest.mark.parametrize(
    "more",
    [
        {}, {"entries": 1, "at": []}, {"entries": [PLACED]}, {"entries": [PLACED], "at": [[1, 2]]},
        {"entries": [PLACED], "at": [[1], [2]]}, {"entries": [PLACED], "at": [["1"]]},
        {"entries": [PLACED], "at": [[-1]]}, {"entries": [PLACED], "at": [[2**63]]},
        {"entries": [{**PLACED, "strides": [-1]}], "at": [[1]]},
        {"entries": [{**PLACED, "shape": [1, 1]}], "at": [[1]]},
        {"entries": [{**PLACED, "dtype": "nn"}], "at": [[1]]},
        {"entries": [{**PLACED, "conj": 1}], "at": [[1]]},
        {"entries": [{**PLACED, "more": 1}], "at": [[1]]},
    ],
    ids=range(13),
)  # fmt: skip
def test_a_run_says_where_every_result_lies(
    liar: Liar, instance: Instance, more: dict[str, Any]
) -> None:
    liar.answer({"op": "run", "ns": 1, "tensors": [], "value": {"t": 0}, **more})
    with pytest.raises(WorkerFault, match="the worker sent"):
        instance.run([0])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (PLACED, "does not lie in memory that can be read"),
        ({**PLACED, "shape": [2**17], "strides": [65]}, "lie too far apart"),
        ({**PLACED, "shape": [2**40], "strides": [1]}, r"has shape \[1099511627776\]"),
        ({**PLACED, "dtype": "int8"}, "is int8, expected float32"),
    ],
)
def test_results_are_read_only_where_they_can_be(
    liar: Liar, instance: Instance, entry: dict[str, Any], words: str
) -> None:
    told = {"op": "run", "ns": 1, "tensors": [], "value": {"t": 0}, "entries": [entry], "at": [[8]]}
    liar.answer(told)
    ran = instance.run([0])
    size = 2**17 if "far" in words else 1
    with pytest.raises(WorkerFault, match=words):
        instance.result(ran, 0, [Spec(torch.float32, (size,))])


def test_counts_and_profiles_are_checked(liar: Liar, instance: Instance) -> None:
    liar.answer({"op": "profile", "operators": [{"name": "x", "calls": 1, "self_us": "soon"}],
                 "tensors": []})  # fmt: skip
    with pytest.raises(WorkerFault, match="no list of operators"):
        instance.profile(0, 1)
    liar.answer({"op": "state", "value": {"l": {"x": []}}, "tensors": []})
    with pytest.raises(WorkerFault, match="a malformed value"):
        instance.state().unpacked()


def test_silence_and_half_a_frame_are_timeouts(liar: Liar, instance: Instance) -> None:
    with pytest.raises(WorkerFault, match=r"state did not answer within 0.3 s") as caught:
        instance.state()
    assert caught.value.status is Status.TIMEOUT
    liar.far.sendall(PREFIX.pack(100, 0) + b"{")
    with pytest.raises(WorkerFault) as caught:
        instance.state()
    assert caught.value.status is Status.TIMEOUT


def test_a_closed_channel_reports_what_was_printed(liar: Liar, instance: Instance) -> None:
    liar.said = "hello\n"
    liar.far.close()
    with pytest.raises(WorkerFault) as caught:
        instance.state()
    assert caught.value.status is Status.RUNTIME_ERROR
    assert caught.value.reason == "the worker closed its channel; it printed:\nhello"


def test_a_link_in_the_folder_is_not_followed(liar: Liar, instance: Instance) -> None:
    victim = liar.folder / "victim"
    victim.write_text("mine")
    (liar.folder / "candidate.py").symlink_to(victim)
    with pytest.raises(WorkerFault, match="changed its folder"):
        instance.client.write("candidate.py", "yours")
    assert victim.read_text() == "mine"


def test_a_pipe_in_the_folder_does_not_hold_the_judge(liar: Liar, instance: Instance) -> None:
    os.mkfifo(liar.folder / "adapter.py")
    with pytest.raises(WorkerFault, match="changed its folder"):
        instance.client.write("adapter.py", "text")
    reader = os.open(liar.folder / "adapter.py", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(WorkerFault, match="changed its folder"):
        instance.client.write("adapter.py", "text")
    os.close(reader)
