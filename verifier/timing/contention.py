"""Quiet timed cores, and a meter of the CPU time that other processes took on them.

Two threads that meet at barriers wait for the slower core. So one busy core slows a round not by
half but by orders of magnitude, and not every side alike. Such rounds must not decide.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from kernelwright.sandbox.base import WorkerProcess
from kernelwright.sandbox.escapes import descendants
from kernelwright.sandbox.gpu import gpu_processes
from kernelwright.sandbox.leases import lease
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import BUSY_MACHINE, Flag
from kernelwright.verifier.integrity.catalog import flag

# A window in which others used so many cores is set aside. The counters tick in 10 ms.
BUSY_CORES = 0.25
STAT = Path("/proc/stat")
IDLE_FIELDS = (3, 4)  # idle, iowait
GUEST_FIELDS = 8  # guest times are counted in user time already


class LoadMeter:
    """A meter of the load that other processes put on some CPUs since its creation.

    Args:
        workers: workers that, like this process, do not count as others.
        cores: the CPUs that are measured.
    """

    def __init__(self, workers: Sequence[WorkerProcess], cores: Sequence[int]) -> None:
        self._workers = workers
        self._cores = cores
        self._start = time.monotonic(), self._external()

    def external_cores(self) -> float | None:
        """Return CPU seconds per second that others used; None if the system does not tell."""
        start, before = self._start
        after = self._external()
        if before is None or after is None:
            return None
        return max(0.0, after - before) / max(time.monotonic() - start, 1e-9)

    def _external(self) -> float | None:
        busy = busy_seconds(self._cores)
        own = [worker.cpu_seconds() for worker in self._workers]
        known = [seconds for seconds in own if seconds is not None]
        if busy is None or len(known) < len(own):
            return None
        return busy - sum(known) - time.process_time()


def busy_seconds(cores: Sequence[int]) -> float | None:
    """Return seconds that processes and the hypervisor took on some CPUs; None outside Linux."""
    if not STAT.exists():
        return None
    wanted = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in STAT.read_text().splitlines():
        name, *fields = line.split()
        if name in wanted:
            counted = enumerate(map(int, fields[:GUEST_FIELDS]))
            ticks += sum(field for index, field in counted if index not in IDLE_FIELDS)
    return ticks / os.sysconf("SC_CLK_TCK")


def busiest_process(seconds: float) -> str | None:
    """Watch all processes for some seconds; return the busiest one's name and id.

    None where no other process uses the processor, or the system does not tell.
    """
    before = dict(_processes())
    time.sleep(seconds)
    used = {key: now - before[key] for key, now in _processes() if key in before}
    busiest = max(used, key=lambda key: used[key], default=None)
    return busiest if busiest is not None and used[busiest] > 0 else None


def _processes() -> Iterator[tuple[str, int]]:
    """Yield the name and id of each other process, with the clock ticks that it has used."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            start, _, rest = path.read_text(errors="replace").rpartition(")")
            if int(path.parent.name) != os.getpid():
                name = start.partition("(")[2]
                yield f"{name} ({path.parent.name})", sum(map(int, rest.split()[11:13]))


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Limit torch to one thread here, if wanted; restore the number at the end."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if wanted else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def quietly(machine: Machine) -> Iterator[None]:
    """Lease the devices and pin this thread away from the workers' OpenMP threads.

    This thread shares a CPU with the worker's main thread: one of the two always waits for the
    other. On another CPU it would wait behind OpenMP threads that spin. torch gets one thread here,
    so that threads of this process do not spin either.
    """
    cores = os.sched_getaffinity(0)
    with lease(machine.devices), one_thread():
        os.sched_setaffinity(0, machine.cores[:1])
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)


def gpu_flags(machine: Machine) -> Iterator[Flag]:
    """Yield a flag if other processes use this GPU, which our clocks can't see."""
    if machine.kind == "cpu":
        return
    others = gpu_processes(machine.device) - {os.getpid(), *descendants(os.getpid())}
    if others:
        yield flag(BUSY_MACHINE, f"{len(others)} other processes hold memory of this GPU")
