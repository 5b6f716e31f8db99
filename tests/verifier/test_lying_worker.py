"""What comes back over the channel is data to be checked: every lie is a fault of the candidate."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.schema import Status
from kernelwright.verifier.channel import Spec, WorkerFault
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.worker import PREFIX

ONE_FLOAT = {"dtype": "float32", "shape": [1], "order": [0]}
HUGE = {"dtype": "float32", "shape": [2**32], "order": [0]}
LIMIT = 2**20


class Liar:
    """A worker process of which only the channel is real: the test writes what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.channel, self.far = socket.socketpair()
        self.said = ""

    def freeze(self) -> None:
        """Nothing runs."""

    def thaw(self) -> None:
        """Nothing runs."""

    def kill(self) -> None:
        self.channel.close()
        self.far.close()

    def exit_status(self, timeout_s: float) -> int | None:
        return None

    def cpu_seconds(self) -> float | None:
        return None

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
def module(liar: Liar) -> RemoteModule:
    return RemoteModule(liar, LIMIT, 0.3)


def fetched(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"op": "fetch", "value": {"l": []}, "tensors": list(entries), **more}


HEADERS: list[Any] = [
    b"", b"{", b"\xff\xfe", b"null", b"[]", b'"fetch"', b"3", b"[" * 100_000, b"{}",
    b'{"op": ' + b"9" * 5000 + b"}",
    {"op": "put", "tensors": []},
    {"op": "fetch"},
    {"op": "fetch", "tensors": {}},
    fetched(5),  # type: ignore[arg-type]
    fetched({"dtype": "float32", "shape": [1]}),
    fetched({**ONE_FLOAT, "more": 1}),
    fetched({**ONE_FLOAT, "shape": [-1]}),
    fetched({**ONE_FLOAT, "shape": [1.0]}),
    fetched({**ONE_FLOAT, "shape": [True]}),
    fetched({**ONE_FLOAT, "shape": "1"}),
    fetched({**ONE_FLOAT, "shape": [2**60]}),
    fetched({**ONE_FLOAT, "shape": [1] * 40, "order": list(range(40))}),
    fetched({**ONE_FLOAT, "dtype": "float33"}),
    fetched({**ONE_FLOAT, "dtype": "nn"}),
    fetched({**ONE_FLOAT, "dtype": ["float32"]}),
    fetched({**ONE_FLOAT, "order": [1]}),
    fetched({**ONE_FLOAT, "order": [0, 0]}),
    fetched({**ONE_FLOAT, "order": ["0"]}),
    fetched({**ONE_FLOAT, "order": [False]}),
    fetched({"dtype": "float32", "shape": [1, 1], "order": [0, "1"]}),
    fetched(ONE_FLOAT, ONE_FLOAT),
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_nonsense_is_a_runtime_error(liar: Liar, module: RemoteModule, header: Any) -> None:
    liar.answer(header, b"\0" * 4)
    with pytest.raises(WorkerFault) as caught:
        module.fetch("key")
    assert caught.value.status is Status.RUNTIME_ERROR
    assert caught.value.reason.startswith("the worker sent ")


@pytest.mark.parametrize(("header", "body"), [(2**31, 0), (2, LIMIT + 1), (2, 2**63)])
def test_oversized_frames_are_refused_unread(
    liar: Liar, module: RemoteModule, header: int, body: int
) -> None:
    liar.far.sendall(PREFIX.pack(header, body))
    with pytest.raises(WorkerFault, match="a frame of") as caught:
        module.fetch("key")
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
    roomy = RemoteModule(liar, 2**40, 0.3)
    size = entry["shape"][0] * 4
    liar.answer(fetched(entry), declared=size)  # its bytes never come: nobody may wait for them
    with pytest.raises(WorkerFault) as caught:
        roomy.fetch("key", expect=[Spec(torch.float32, (1,))])
    assert caught.value.status is status


def test_operations_without_results_take_none(liar: Liar) -> None:
    roomy = RemoteModule(liar, 2**40, 0.3)
    liar.answer({"op": "call", "tensors": [HUGE]}, declared=2**34)
    with pytest.raises(WorkerFault, match="tensors where none belong"):
        roomy.call("key", 0, 1)


@pytest.mark.parametrize("ns", [None, -1, 1.5, "3", True, 10**400, [1]])
def test_a_block_needs_a_time(liar: Liar, module: RemoteModule, ns: Any) -> None:
    liar.answer({"op": "block", "ns": ns, "tensors": []})
    with pytest.raises(WorkerFault, match="no time of the block"):
        module.block("key", [0], 1)


def test_counts_and_profiles_are_checked(liar: Liar, module: RemoteModule) -> None:
    liar.answer({"op": "profile", "operators": [{"name": "x", "calls": 1, "self_us": "soon"}],
                 "tensors": []})  # fmt: skip
    with pytest.raises(WorkerFault, match="no list of operators"):
        module.profile("key", 0, 1)
    liar.answer({"op": "fetch", "value": {"l": {"x": []}}, "tensors": []})
    with pytest.raises(WorkerFault, match="a malformed value"):
        module.fetch("key").unpacked()


def test_silence_and_half_a_frame_are_timeouts(liar: Liar, module: RemoteModule) -> None:
    with pytest.raises(WorkerFault, match=r"fetch did not answer within 0.3 s") as caught:
        module.fetch("key")
    assert caught.value.status is Status.TIMEOUT
    liar.far.sendall(PREFIX.pack(100, 0) + b"{")
    with pytest.raises(WorkerFault) as caught:
        module.fetch("key")
    assert caught.value.status is Status.TIMEOUT


def test_a_closed_channel_reports_what_was_printed(liar: Liar, module: RemoteModule) -> None:
    liar.said = "hello\n"
    liar.far.close()
    with pytest.raises(WorkerFault) as caught:
        module.fetch("key")
    assert caught.value.status is Status.RUNTIME_ERROR
    assert caught.value.reason == "the worker closed its channel; it printed:\nhello"


def test_a_link_in_the_folder_is_not_followed(liar: Liar, module: RemoteModule) -> None:
    victim = liar.folder / "victim"
    victim.write_text("mine")
    (liar.folder / "candidate.py").symlink_to(victim)
    with pytest.raises(WorkerFault, match="changed its folder"):
        module.write("candidate.py", "yours")
    assert victim.read_text() == "mine"
