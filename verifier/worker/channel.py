"""The client's end of a worker's channel: every byte that comes back is checked.

A worker runs only while it handles a request: it is resumed before, and stopped before the reply is
looked at.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from kernelwright.backends.diagnostics import is_explained, trim_traceback
from kernelwright.sandbox.base import UnstoppableError, WorkerProcess
from kernelwright.schema import Status
from kernelwright.verifier.inside.worker import PREFIX, Tensors, allocate, raw, send_frame
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.frames import (
    MAX_HEADER_BYTES,
    Spec,
    check_expected,
    checked_descriptions,
    parsed_header,
)
from kernelwright.verifier.worker.tensor_tree import TensorTree

# Most replies carry none.
NO_TENSORS: list[Spec] = []
OUT_OF_MEMORY = ("can't allocate memory", "MemoryError", "out of memory", "bad_alloc")


class Channel:
    """A channel to one worker: sends operations and checks replies.

    Args:
        process: the started worker.
        max_body_bytes: most bytes of tensors in one reply.
        timeout_s: time-out of a request by default.
    """

    def __init__(self, process: WorkerProcess, max_body_bytes: int, timeout_s: float) -> None:
        self.process = process
        self.window_s = 0.0
        """Seconds that the worker ran for the last request, until all its threads stood still."""
        self.running_s = 0.0
        """Seconds that the worker ran for all requests."""
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s

    def request(
        self,
        op: str,
        fields: Mapping[str, Any] | None = None,
        values: TensorTree | None = None,
        *,
        key: str = "",
        timeout_s: float | None = None,
        expect: list[Spec] | None = NO_TENSORS,
        meanwhile: Callable[[Callable[[], bool]], None] | None = None,
    ) -> tuple[dict[str, Any], Tensors]:
        """Resume the worker, send one operation, wait for the reply, and stop the worker.

        Args:
            fields: header fields besides `op` and `key`.
            values: a nest, of which the tensors are sent.
            key: the instance in question; none by default.
            expect: dtypes and shapes that the reply's tensors must have; None allows any. Checked
                before anything is allocated. The fault's status tells shape and dtype apart.
            meanwhile: called while the worker works, with a function that says whether it is done.

        Raises:
            WorkerFault: the worker died, hung, sent something else, or can't be stopped.
        """
        timeout_s = timeout_s or self._timeout_s
        header, tensors = {"op": op, "key": key, **(fields or {})}, values.tensors if values else []
        start, deadline = time.perf_counter(), time.monotonic() + timeout_s
        self.process.thaw()
        try:
            self.process.channel.settimeout(timeout_s)
            send_frame(self.process.channel, header, tensors)
            self.process.release()
            if meanwhile is not None:
                meanwhile(lambda: self._has_answered(deadline))
            return self._receive(op, deadline, expect)
        except TimeoutError as error:
            what = f"{op} did not answer within {timeout_s:g} s"
            raise WorkerFault(Status.TIMEOUT, what) from error
        except (EOFError, ConnectionError) as error:
            raise self._death() from error
        except UnstoppableError as error:
            raise WorkerFault(Status.RUNTIME_ERROR, str(error)) from error
        finally:
            self._stop(start, failed=sys.exception() is not None)

    def _stop(self, start: float, failed: bool) -> None:
        try:
            self.window_s = self.process.freeze() - start
            self.running_s += self.window_s
        except UnstoppableError as error:
            if not failed:  # otherwise a better reason is raised already
                raise WorkerFault(Status.RUNTIME_ERROR, str(error)) from error

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
        if code == -signal.SIGKILL:  # by the system: the client kills only after a fault
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
        header = parsed_header(text, operation)
        descriptions = checked_descriptions(header.pop("tensors", None), body_bytes)
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
    """Return `exit code 1` or `signal 11` for a process's exit status."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
