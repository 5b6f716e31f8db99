"""How much of the machine others used while something was timed.

Two threads that meet at barriers wait for the slower core, so one busy core does not slow a block
by half but by orders of magnitude, and not every side alike. Such blocks must not decide.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from kernelwright.sandbox.base import WorkerProcess

STAT = Path("/proc/stat")
IDLE_FIELDS = (3, 4)  # idle, iowait
GUEST_FIELDS = 8  # guest times are counted in user time already


class LoadMeter:
    """Measures from its making until asked.

    Args:
        workers: whose CPU time is ours, as is this process's.
    """

    def __init__(self, workers: Sequence[WorkerProcess]) -> None:
        self._workers = workers
        self._start = time.monotonic(), self._external()

    def external_cores(self) -> float | None:
        """CPU seconds per second that others used; None where the system does not tell."""
        start, before = self._start
        after = self._external()
        if before is None or after is None:
            return None
        return max(0.0, after - before) / max(time.monotonic() - start, 1e-9)

    def _external(self) -> float | None:
        busy = machine_cpu_seconds()
        own = [worker.cpu_seconds() for worker in self._workers]
        known = [seconds for seconds in own if seconds is not None]
        if busy is None or len(known) < len(own):
            return None
        return busy - sum(known) - time.process_time()


def machine_cpu_seconds() -> float | None:
    """CPU time that all processes and the hypervisor took since boot; None outside Linux."""
    if not STAT.exists():
        return None
    fields = [int(field) for field in STAT.read_text().split("\n", 1)[0].split()[1:]]
    ticks = sum(f for i, f in enumerate(fields[:GUEST_FIELDS]) if i not in IDLE_FIELDS)
    return ticks / os.sysconf("SC_CLK_TCK")
