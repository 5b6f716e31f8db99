"""A worker that is nothing but a stream of bytes, and a clock that only waiting moves."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.verifier.inside.worker import Tensors, send_frame

FOLDER = Path(__file__).parent
# A request may end this much later than its limit: one read, begun before it, that gets a byte.
GRACE_S = 1.0


class Hung(BaseException):
    """A wait of the judge for longer than the operation may take."""


class Clock:
    """A stand-in for the module `time` in the judge's channel."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic


class Stream(NamedTuple):
    """All that a worker sends in one session, and how."""

    data: bytes
    chunk: int = 2**20
    """Bytes that arrive together."""
    delay_s: float = 0.0
    """Time between two chunks."""
    ending: str = "silence"
    """After the last byte: `silence`, `eof` or `reset`."""
    exit_code: int | None = None
    said: str = ""
    """Text on standard error."""
    how: tuple[str, ...] = ()
    """The changes made to an honest stream."""


class Pipe:
    """One direction of a channel."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def settimeout(self, seconds: float) -> None:
        """Do nothing: nothing here waits."""

    def sendall(self, data: bytes | memoryview) -> None:
        self.bytes += data

    def recv_into(self, view: memoryview) -> int:
        count = min(len(view), len(self.bytes))
        view[:count] = self.bytes[:count]
        del self.bytes[:count]
        return count


def framed(header: dict[str, Any], tensors: Tensors) -> bytes:
    """Return what an honest worker writes."""
    pipe = Pipe()
    send_frame(pipe, header, tensors)  # type: ignore[arg-type]
    return bytes(pipe.bytes)


class Wire:
    """The judge's end of a channel on which a stream arrives."""

    def __init__(self, stream: Stream, clock: Clock) -> None:
        self.stream = stream
        self.clock = clock
        self.position = 0
        self.asked = clock.now
        self.limit: float | None = None
        """Limit of the request under way: the first time-out that is set after it began."""
        self.timeout: float = 0.0

    def begin(self) -> None:
        """Begin a request."""
        self.asked, self.limit = self.clock.now, None

    def settimeout(self, seconds: float | None) -> None:
        if seconds is None:
            raise Hung("waits without a limit")
        self.limit = seconds if self.limit is None else self.limit
        self.timeout = seconds

    def sendall(self, data: Any) -> None:
        """Drop the data: no worker reads it."""

    def recv_into(self, view: memoryview) -> int:
        self._wait()
        data = self.stream.data[self.position : self.position + min(len(view), self.stream.chunk)]
        view[: len(data)] = data
        self.position += len(data)
        return len(data) if data else self._end()

    def _wait(self) -> None:
        if self.stream.delay_s > self.timeout:
            self._time_out()
        self._pass(self.stream.delay_s)

    def _pass(self, seconds: float) -> None:
        self.clock.now += seconds
        spent = self.clock.now - self.asked
        if spent > (self.limit or 0.0) + GRACE_S:
            raise Hung(f"waits for {spent:g} s where {self.limit} are allowed")

    def _end(self) -> int:
        if self.stream.ending == "silence":
            self._time_out()
        if self.stream.ending == "reset":
            raise ConnectionResetError
        return 0

    def _time_out(self) -> None:
        self._pass(self.timeout)
        raise TimeoutError


class NeverStops:
    """The part of a worker process that nothing here depends on."""

    def __init__(self, shared: int) -> None:
        self.shared = shared
        self.pid = os.getpid()
        self.foreign_cores: set[int] = set()
        self.folder, self.inside = FOLDER, str(FOLDER)
        self.channel: Any = None

    def release(self) -> None:
        """See `WorkerProcess.release`."""

    def freeze(self) -> float:
        """Return the time: nothing runs, and has stood still since now."""
        return time.perf_counter()

    def thaw(self) -> None:
        """Do nothing: nothing runs."""

    def kill(self) -> None:
        """Do nothing: there is nothing to end."""

    def exit_status(self, timeout_s: float) -> int | None:
        return None

    def cpu_seconds(self) -> float | None:
        return None

    def escaped(self) -> list[int]:
        return []

    def stderr(self) -> str:
        return ""


class Player(NeverStops):
    """A worker process that plays a stream."""

    def __init__(self, stream: Stream, shared: int, clock: Clock) -> None:
        super().__init__(shared)
        self.stream = stream
        self.channel = Wire(stream, clock)

    def thaw(self) -> None:
        self.channel.begin()

    def exit_status(self, timeout_s: float) -> int | None:
        return self.stream.exit_code

    def stderr(self) -> str:
        return self.stream.said
