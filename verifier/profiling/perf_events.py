"""Hardware counters of a worker's threads on Linux, by perf_event_open, where the system has them.

Virtual machines often have none, and a setting (kernel.perf_event_paranoid) or a container may
forbid them: then there is nothing, and evidence does without. Counts are scaled where the processor
had fewer registers than events (perf_event_open(2), "time_enabled").
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from kernelwright.sandbox.memory import thread_ids

SYSCALLS = {"x86_64": 298, "aarch64": 241}
# perf_event_attr up to `config2`: type, size, config, period, sample type, read format, flags.
ATTRIBUTES = struct.Struct("=IIQQQQQ")
ATTRIBUTES_BYTES = 112
READ = struct.Struct("=QQQ")
TIMES = 1 | 2  # PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING
DISABLED, NO_KERNEL, NO_HYPERVISOR = 1, 1 << 5, 1 << 6
ENABLE = 0x2400
HARDWARE, CACHE = 0, 3
LIBC = ctypes.CDLL(None, use_errno=True)
LINE_BYTES = 64


class PerfEvent(NamedTuple):
    """An event to count: `type` and `config` of perf_event_attr."""

    kind: int
    config: int


EVENTS = {
    "cycles": PerfEvent(HARDWARE, 0),
    "instructions": PerfEvent(HARDWARE, 1),
    "branch misses": PerfEvent(HARDWARE, 5),
    "first-level misses": PerfEvent(CACHE, 1 << 16),  # L1D, read, miss
    "last-level misses": PerfEvent(CACHE, 2 | 1 << 16),  # LL, read, miss
    "address-translation misses": PerfEvent(CACHE, 3 | 1 << 16),  # DTLB, read, miss
}


class Counting:
    """A context manager that counts while its body runs; nothing where nothing can be counted.

    Args:
        pid: the worker; the threads are counted that it has when the body begins.
    """

    def __init__(self, pid: int, events: Mapping[str, PerfEvent] = EVENTS) -> None:
        self.pid = pid
        self.events = events
        self.found: dict[str, float] = {}
        """Counts by event, of all threads together; those that could be counted."""
        self._open: dict[str, list[int]] = {}

    def __enter__(self) -> Self:
        threads = thread_ids(self.pid)
        for name, event in self.events.items():
            descriptors = [_opened(event, thread) for thread in threads]
            self._open[name] = [one for one in descriptors if one is not None]
        for descriptor in self._descriptors():
            fcntl.ioctl(descriptor, ENABLE)
        return self

    def __exit__(self, *_exc: object) -> None:
        for name, descriptors in self._open.items():
            counts = [_count(os.read(descriptor, READ.size)) for descriptor in descriptors]
            known = [count for count in counts if count is not None]
            if known:
                self.found[name] = sum(known)
        for descriptor in self._descriptors():
            os.close(descriptor)

    @property
    def is_possible(self) -> bool:
        """Whether anything is being counted."""
        return any(self._open.values())

    def _descriptors(self) -> Iterable[int]:
        return (descriptor for some in self._open.values() for descriptor in some)


def _opened(event: PerfEvent, thread: int) -> int | None:
    number = SYSCALLS.get(platform.machine())
    if number is None:
        return None
    flags = DISABLED | NO_KERNEL | NO_HYPERVISOR
    head = ATTRIBUTES.pack(event.kind, ATTRIBUTES_BYTES, event.config, 0, 0, TIMES, flags)
    attributes = ctypes.create_string_buffer(head, ATTRIBUTES_BYTES)
    descriptor = LIBC.syscall(number, attributes, thread, -1, -1, 0)
    return descriptor if descriptor >= 0 else None


def _count(data: bytes) -> float | None:
    value, enabled, running = READ.unpack(data)
    return value * enabled / running if running else None


def counter_facts(found: Mapping[str, float], seconds: float) -> list[str]:
    """Return the counts of calls that took `seconds`, in words."""
    facts = []
    cycles, instructions = found.get("cycles"), found.get("instructions")
    if cycles and instructions:
        facts.append(f"{instructions / cycles:.2f} instructions per cycle")
    if instructions:
        for name in ("branch misses", "first-level misses", "address-translation misses"):
            if name in found:
                facts.append(
                    f"{1000 * found[name] / instructions:.1f} {name} per 1000 instructions"
                )
    if "last-level misses" in found and seconds > 0:
        speed = found["last-level misses"] * LINE_BYTES / seconds / 1e9
        facts.append(f"{speed:.1f} GB/s read past the last cache (without prefetches)")
    return facts
