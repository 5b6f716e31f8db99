"""The judge's end of a worker's channel: every byte that comes back is data to be checked.

A worker that exits, hangs or talks nonsense raises `WorkerFault`, which carries the `Status` it
means when the worker held a candidate. For a reference the caller turns it into an
InvalidReferenceError.
"""

from __future__ import annotations

import json
import math
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from kernelwright.backends.diagnostics import is_explained, trim_traceback
from kernelwright.sandbox.base import WorkerProcess
from kernelwright.schema import Status
from kernelwright.verifier.inside.worker import PREFIX, Tensors, allocate, raw, send_frame

MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 32
# By the names that `describe` writes; plain tensors of quantized types can't be made.
DTYPES = {
    str(value).removeprefix("torch."): value
    for name, value in vars(torch).items()
    if isinstance(value, torch.dtype) and not name.startswith("q")
}
OUT_OF_MEMORY = ("can't allocate memory", "MemoryError", "out of memory", "bad_alloc")


class WorkerFault(Exception):
    """The worker did not do what it was asked."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Spec(NamedTuple):
    """dtype and shape of a tensor that may be received."""

    dtype: torch.dtype
    shape: tuple[int, ...]


class Channel:
    """Sends operations to one worker and checks its replies.

    Args:
        process: the started worker.
        max_body_bytes: the most that one reply may carry.
    """

    def __init__(self, process: WorkerProcess, max_body_bytes: int) -> None:
        self.process = process
        self._max_body_bytes = max_body_bytes

    def request(
        self,
        header: dict[str, Any],
        tensors: Tensors | None = None,
        *,
        timeout_s: float,
        expect: list[Spec] | None = None,
        meanwhile: Callable[[Callable[[], bool]], None] | None = None,
    ) -> tuple[dict[str, Any], Tensors]:
        """Send one operation and wait for its reply.

        Args:
            expect: where given, the reply's tensors must be these, and that is checked before
                anything is allocated; a difference in shape or dtype is the status of that name.
            meanwhile: called while the worker works, with a function that says whether it is done.

        Raises:
            WorkerFault: the worker died, hung, or sent something else.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self.process.channel.settimeout(timeout_s)
            send_frame(self.process.channel, header, tensors or [])
            self.process.release()
            if meanwhile is not None:
                meanwhile(lambda: self._has_answered(deadline))
            return self._receive(header["op"], deadline, expect)
        except TimeoutError as error:
            what = f"{header['op']} did not answer within {timeout_s:g} s"
            raise WorkerFault(Status.TIMEOUT, what) from error
        except (EOFError, ConnectionError) as error:
            raise self._death() from error

    def _has_answered(self, deadline: float) -> bool:
        readable = select.select([self.process.channel], [], [], 0)[0]
        return bool(readable) or time.monotonic() > deadline

    def _death(self) -> WorkerFault:
        code = self.process.exit_status(timeout_s=5.0)
        text = self.process.stderr()
        if any(sign in text for sign in OUT_OF_MEMORY):
            return WorkerFault(Status.OUT_OF_MEMORY, trim_traceback(text))
        how = "closed its channel" if code is None else f"ended with {exit_words(code)}"
        said = trim_traceback(text)
        if code == -signal.SIGKILL:  # not by us: we kill after a fault, not before
            return WorkerFault(Status.OUT_OF_MEMORY, "the worker was killed by the system")
        if said and is_explained(text):
            return WorkerFault(Status.RUNTIME_ERROR, said)
        words = f"the worker {how}"
        return WorkerFault(Status.RUNTIME_ERROR, f"{words}; it printed:\n{said}" if said else words)

    def _receive(
        self, operation: str, deadline: float, expect: list[Spec] | None
    ) -> tuple[dict[str, Any], Tensors]:
        prefix = bytearray(PREFIX.size)
        self._fill(memoryview(prefix), deadline)
        header_bytes, body_bytes = PREFIX.unpack(prefix)
        if header_bytes > MAX_HEADER_BYTES or body_bytes > self._max_body_bytes:
            raise nonsense(f"a frame of {header_bytes}+{body_bytes} bytes")
        text = bytearray(header_bytes)
        self._fill(memoryview(text), deadline)
        header = _parse(text, operation)
        descriptions = _checked_descriptions(header.pop("tensors", None), body_bytes)
        if expect is not None:
            check_expected(descriptions, expect)
        return header, [self._receive_tensor(entry, deadline) for entry in descriptions]

    def _receive_tensor(self, description: dict[str, Any], deadline: float) -> torch.Tensor:
        try:
            tensor = allocate(description)
        except RuntimeError as error:
            what = "the worker sent a tensor that there is no memory for"
            raise WorkerFault(Status.OUT_OF_MEMORY, what) from error
        view, _dense = raw(tensor, description["order"])
        self._fill(view, deadline)
        return tensor

    def _fill(self, view: memoryview, deadline: float) -> None:
        channel: socket.socket = self.process.channel
        while view.nbytes:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
            count = channel.recv_into(view)
            if count == 0:
                raise EOFError
            view = view[count:]


def exit_words(code: int) -> str:
    """`exit code 1` or `signal 11` for a process's exit status."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def nonsense(what: str) -> WorkerFault:
    return WorkerFault(Status.RUNTIME_ERROR, f"the worker sent {what}")


def _parse(text: bytearray, operation: str) -> dict[str, Any]:
    try:
        header = json.loads(text.decode())
        if b"\\u" in text:  # half of a surrogate pair could be neither stored nor printed
            json.dumps(header, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise nonsense("a header that is not JSON") from error
    if not isinstance(header, dict) or header.get("op") != operation:
        raise nonsense("an answer to another operation")
    return header


def _checked_descriptions(entries: object, body_bytes: int) -> list[dict[str, Any]]:
    if not isinstance(entries, list):
        raise nonsense("no list of tensors")
    total = sum(_tensor_bytes(entry) for entry in entries)
    if total != body_bytes:
        raise nonsense(f"{body_bytes} bytes where its header says {total}")
    return entries


def _tensor_bytes(entry: object) -> int:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "order"}:
        raise nonsense("a malformed tensor description")
    shape, order = entry["shape"], entry["order"]
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    sizes_ok = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if dtype is None or not sizes_ok or len(shape) > MAX_DIMENSIONS or not is_countable(shape):
        raise nonsense("a malformed tensor description")
    whole = isinstance(order, list) and all(type(dim) is int for dim in order)
    if not whole or sorted(order) != list(range(len(shape))):
        raise nonsense("a malformed tensor layout")
    count = 1
    for size in shape:
        count *= size
    return count * dtype.itemsize


def is_countable(shape: list[int]) -> bool:
    """Whether torch can count a tensor's bytes; its strides do not take zeros for zero."""
    return math.prod(max(size, 1) for size in shape) < 2**56


def check_expected(descriptions: list[dict[str, Any]], expect: list[Spec]) -> None:
    """Raise the fault that a difference between sent and expected tensors means."""
    if descriptions and not expect:
        raise nonsense("tensors where none belong")
    if len(descriptions) != len(expect):
        message = f"{len(descriptions)} tensors returned, {len(expect)} expected"
        raise WorkerFault(Status.INCORRECT_SHAPE, message)
    for index, (entry, spec) in enumerate(zip(descriptions, expect, strict=True)):
        if tuple(entry["shape"]) != spec.shape:
            message = f"output {index} has shape {entry['shape']}, expected {list(spec.shape)}"
            raise WorkerFault(Status.INCORRECT_SHAPE, message)
        if getattr(torch, entry["dtype"]) != spec.dtype:
            expected = str(spec.dtype).removeprefix("torch.")
            message = f"output {index} is {entry['dtype']}, expected {expected}"
            raise WorkerFault(Status.INCORRECT_DTYPE, message)
