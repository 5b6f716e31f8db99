"""The judge's end of a worker's channel: every byte that comes back is data to be checked.

A worker that exits, hangs or talks nonsense raises `WorkerFault`, which carries the `Status` it
means when the worker held a candidate. For a reference the caller turns it into an
InvalidReferenceError.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kernelwright.backends.diagnostics import is_explained, trim_traceback
from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerProcess
from kernelwright.schema import Status, digest
from kernelwright.verifier.worker import PREFIX, Tensors, allocate, pack, raw, send_frame, unpack

MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 32
MAX_NANOSECONDS = 2**63
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
    ) -> tuple[dict[str, Any], Tensors]:
        """Send one operation and wait for its reply.

        Args:
            expect: where given, the reply's tensors must be these, and that is checked before
                anything is allocated; a difference in shape or dtype is the status of that name.

        Raises:
            WorkerFault: the worker died, hung, or sent something else.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self.process.channel.settimeout(timeout_s)
            send_frame(self.process.channel, header, tensors or [])
            return self._receive(header["op"], deadline, expect)
        except TimeoutError as error:
            what = f"{header['op']} did not answer within {timeout_s:g} s"
            raise WorkerFault(Status.TIMEOUT, what) from error
        except (EOFError, ConnectionError) as error:
            raise self._death() from error

    def _death(self) -> WorkerFault:
        code = self.process.exit_status(timeout_s=5.0)
        text = self.process.stderr()
        if any(sign in text for sign in OUT_OF_MEMORY):
            return WorkerFault(Status.OUT_OF_MEMORY, trim_traceback(text))
        how = "closed its channel" if code is None else f"ended with {exit_words(code)}"
        said = trim_traceback(text)
        if is_explained(text):
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
            raise _nonsense(f"a frame of {header_bytes}+{body_bytes} bytes")
        text = bytearray(header_bytes)
        self._fill(memoryview(text), deadline)
        header = _parse(text, operation)
        descriptions = _checked_descriptions(header.pop("tensors", None), body_bytes)
        if expect is not None:
            check_expected(descriptions, expect)
        return header, [self._receive_tensor(entry, deadline) for entry in descriptions]

    def _receive_tensor(self, description: dict[str, Any], deadline: float) -> torch.Tensor:
        tensor = allocate(description)
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


def _nonsense(what: str) -> WorkerFault:
    return WorkerFault(Status.RUNTIME_ERROR, f"the worker sent {what}")


def _parse(text: bytearray, operation: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _nonsense("a header that is not JSON") from error
    if not isinstance(header, dict) or header.get("op") != operation:
        raise _nonsense("an answer to another operation")
    return header


def _checked_descriptions(entries: object, body_bytes: int) -> list[dict[str, Any]]:
    if not isinstance(entries, list):
        raise _nonsense("no list of tensors")
    total = sum(_tensor_bytes(entry) for entry in entries)
    if total != body_bytes:
        raise _nonsense(f"{body_bytes} bytes where its header says {total}")
    return entries


def _tensor_bytes(entry: object) -> int:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "order"}:
        raise _nonsense("a malformed tensor description")
    shape, order = entry["shape"], entry["order"]
    dtype = getattr(torch, entry["dtype"], None) if isinstance(entry["dtype"], str) else None
    sizes_ok = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if not isinstance(dtype, torch.dtype) or not sizes_ok or len(shape) > MAX_DIMENSIONS:
        raise _nonsense("a malformed tensor description")
    whole = isinstance(order, list) and all(type(dim) is int for dim in order)
    if not whole or sorted(order) != list(range(len(shape))):
        raise _nonsense("a malformed tensor layout")
    count = 1
    for size in shape:
        count *= size
    return count * dtype.itemsize


def check_expected(descriptions: list[dict[str, Any]], expect: list[Spec]) -> None:
    """Raise the fault that a difference between sent and expected tensors means."""
    if descriptions and not expect:
        raise _nonsense("tensors where none belong")
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


class Values(NamedTuple):
    """A nest of Python values and its tensors, as sent or received."""

    tree: Any
    tensors: Tensors

    def unpacked(self) -> Any:
        """The nest itself. Raises WorkerFault when a worker sent a malformed one."""
        try:
            return unpack(self.tree, self.tensors)
        except (ValueError, RecursionError) as error:
            raise _nonsense("a malformed value") from error

    def mapped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Values:
        """The same nest with every tensor replaced."""
        return Values(self.tree, [function(tensor) for tensor in self.tensors])

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)


class RemoteModule:
    """One worker, as operations on the instances it holds (one per workload, by `key`)."""

    def __init__(self, process: WorkerProcess, memory_bytes: int, timeout_s: float) -> None:
        self.process = process
        self._channel = Channel(process, max_body_bytes=memory_bytes)
        self._timeout_s = timeout_s

    def _ask(self, op: str, key: str, values: Values | None = None, **more: Any) -> Any:
        timeout_s = more.pop("timeout_s", self._timeout_s)
        expect = more.pop("expect", [])  # most answers carry no tensor
        header = {"op": op, "key": key, **more}
        tensors = values.tensors if values else []
        return self._channel.request(header, tensors, timeout_s=timeout_s, expect=expect)

    def hello(self, timeout_s: float) -> dict[str, Any]:
        """Versions and thread count of the worker; also proof that it has started."""
        reply, _ = self._ask("hello", "", timeout_s=timeout_s)
        return dict(reply)

    def load(
        self,
        key: str,
        path: str,
        entry_point: str,
        seed: int,
        init: Values | None,
        timeout_s: float | None = None,
    ) -> Values:
        """Import a file and build an instance; returns the constructor's arguments."""
        more: dict[str, Any] = {"timeout_s": timeout_s} if timeout_s else {}
        more["expect"] = [] if init else None
        name = f"module_{digest(key)[:12]}"
        tree = init.tree if init else None
        reply, tensors = self._ask(
            "load", key, init, path=path, module=name, entry_point=entry_point, seed=seed,
            init=tree, **more,
        )  # fmt: skip
        return init or Values(reply.get("init"), tensors)

    def compile(self, key: str, options: Mapping[str, Any]) -> None:
        """Wrap the instance in torch.compile; the work happens at its first call."""
        self._ask("compile", key, options=dict(options))

    def make_inputs(self, key: str, seed: int) -> Values:
        """A fresh set of the reference's inputs."""
        reply, tensors = self._ask("make_inputs", key, seed=seed, expect=None)
        return Values(reply.get("value"), tensors)

    def state(self, key: str) -> Values:
        """Parameters and buffers."""
        reply, tensors = self._ask("state", key, expect=None)
        return Values(reply.get("value"), tensors)

    def set_state(self, key: str, state: Values) -> tuple[int, int]:
        """Copy what matches by name and shape; returns (copied, present)."""
        reply, _ = self._ask("set_state", key, state, value=state.tree)
        matched, own = reply.get("matched"), reply.get("own")
        if type(matched) is not int or type(own) is not int:
            raise _nonsense("no counts of parameters")
        return matched, own

    def put(self, key: str, slot: int, values: Values) -> None:
        """Store inputs in a slot."""
        self._ask("put", key, values, slot=slot, value=values.tree)

    def drop(self, key: str) -> None:
        """Forget all slots."""
        self._ask("drop", key)

    def call(self, key: str, slot: int, seed: int) -> None:
        """Run once; the result stays in the worker until fetched."""
        self._ask("call", key, slot=slot, seed=seed)

    def fetch(self, key: str, slot: int | None = None, expect: list[Spec] | None = None) -> Values:
        """The last result (slot None) or the present content of a slot."""
        reply, tensors = self._ask("fetch", key, slot=slot, expect=expect)
        return Values(reply.get("value"), tensors)

    def golden(self, key: str, slot: int, seed: int) -> Values | str:
        """The float64 result, or why there is none."""
        reply, tensors = self._ask("golden", key, slot=slot, seed=seed, expect=None)
        if "unavailable" in reply:
            return str(reply["unavailable"])
        return Values(reply.get("value"), tensors)

    def block(self, key: str, slots: list[int], calls: int) -> tuple[float, float]:
        """Run `calls` times; returns (judge's, worker's) seconds for the whole block."""
        start = time.perf_counter()
        reply, _ = self._ask("block", key, slots=slots, calls=calls)
        elapsed = time.perf_counter() - start
        nanoseconds = reply.get("ns")
        if type(nanoseconds) is not int or not 0 <= nanoseconds < MAX_NANOSECONDS:
            raise _nonsense("no time of the block")
        return elapsed, nanoseconds / 1e9

    def trace(self, key: str, slot: int) -> dict[str, Any]:
        """The exported graph as JSON. Raises WorkerFault where the module can't be exported."""
        reply, _ = self._ask("trace", key, slot=slot)
        return dict(reply["graph"])

    def profile(self, key: str, slot: int, calls: int) -> list[dict[str, Any]]:
        """Operators by self time."""
        reply, _ = self._ask("profile", key, slot=slot, calls=calls)
        rows = reply.get("operators")
        if not isinstance(rows, list) or not all(_is_operator(row) for row in rows):
            raise _nonsense("no list of operators")
        return rows

    def copy_bandwidth(self) -> float:
        """Bytes per second that the worker's device copies."""
        reply, _ = self._ask("copy_bandwidth", "")
        return float(reply["bytes_per_s"])

    def write(self, name: str, text: str) -> str:
        """Put a file into the worker's folder; returns its path inside the sandbox."""
        path = Path(self.process.folder) / name
        # A worker may have put a link to a file of the host there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InfrastructureError(f"cannot write {name!r}: {error.strerror}") from error
            raise WorkerFault(Status.RUNTIME_ERROR, "the worker changed its folder") from error
        return str(path)


def _is_operator(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != {"name", "calls", "self_us"}:
        return False
    return isinstance(row["name"], str) and type(row["self_us"]) in (int, float)


def specs(values: Values) -> list[Spec]:
    """What tensors the values are."""
    return [Spec(tensor.dtype, tuple(tensor.shape)) for tensor in values.tensors]


def packed(value: Any) -> Values:
    """A host-side nest as `Values`."""
    tensors: Tensors = []
    return Values(pack(value, tensors), tensors)
