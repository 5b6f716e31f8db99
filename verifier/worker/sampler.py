"""A sampler of running code: which library or candidate the program counters of a worker lie in.

While a worker runs a long round it is stopped at random moments, and the program counter of every
thread that computes is looked up in its memory map. Code under the worker's own folder was built
from the candidate; code without a file comes from a just-in-time compiler (oneDNN's, say). The
worker can't choose the moments, and a kernel that is there but does no work gets no samples. A
library that a candidate has copied into its folder passes for the candidate's own code.
"""

from __future__ import annotations

import ctypes
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from kernelwright.sandbox.base import WorkerProcess
from kernelwright.sandbox.memory import MappedRegion, mappings, program_counters

Owner = Literal["candidate", "library", "compiler", "waiting", "neutral"]
"""`neutral`: the interpreter, the C library and vector mathematics, which all code uses."""


# Seconds between two samples, drawn anew each time, so that no candidate can foresee them.
PAUSE_S = (0.0002, 0.001)
LEAST_SAMPLES, ENOUGH_SAMPLES = 40, 60
WAITING = ("libgomp", "libiomp")
PACKAGES = ("/site-packages/", "/dist-packages/")
# torch.compile's output may lie in the worker's folder, but the candidate did not write it: a name
# of 52 characters that is a hash in base 32 (torch._inductor.codecache).
COMPILED = re.compile(r"/inductor/|/c[a-z2-7]{51}(\.main)?\.so$")
# torch's copy of SLEEF computes exp and its like on vectors, both for torch's own kernels and for
# kernels written with its headers.
TORCH, SLEEF = "/libtorch_cpu.so", "Sleef_"


class CodeSamples(NamedTuple):
    """Counts of samples by owner of the running code."""

    samples: Counter[Owner]

    @property
    def computing(self) -> int:
        """Number of samples in code that computes."""
        return sum(self.samples[name] for name in ("candidate", "library", "compiler"))

    @property
    def wants_more(self) -> bool:
        """Whether more samples are needed for a firm share."""
        return self.computing < ENOUGH_SAMPLES

    @property
    def custom_share(self) -> float | None:
        """Share of the candidate's code in computing samples; None if there are too few."""
        if self.computing < LEAST_SAMPLES:
            return None
        return self.samples["candidate"] / self.computing


class Sighting(NamedTuple):
    """A thread outside of system calls, at one moment."""

    thread: int
    owner: Owner
    path: str
    """The file of the code, as the worker sees it; empty for code without one."""
    offset: int
    """Place of the program counter in that file."""


def sighting(thread: int, address: int, regions: Iterable[MappedRegion], folder: str) -> Sighting:
    """Return what a thread is doing whose program counter is at an address."""
    for region in regions:
        if region.start <= address < region.end:
            offset = address - region.start + region.offset
            is_sleef = region.path.endswith(TORCH) and symbol(TORCH, offset).startswith(SLEEF)
            owner = "neutral" if is_sleef else _owner_of(region.path, folder)
            return Sighting(thread, owner, region.path, offset)
    return Sighting(thread, "neutral", "", address)


def owner(address: int, regions: Iterable[MappedRegion], folder: str) -> Owner:
    """Return the owner of the code at an address."""
    return sighting(0, address, regions, folder).owner


def _owner_of(path: str, folder: str) -> Owner:
    if path.rpartition("/")[2].startswith(WAITING):
        return "waiting"
    if not path or (path.startswith(folder) and COMPILED.search(path)):
        return "compiler"
    if path.startswith(folder):
        return "candidate"
    return "library" if any(package in path for package in PACKAGES) else "neutral"


def symbol(library: str, offset: int) -> str:
    """Return the name of the symbol at an offset of a library's file; empty if not loaded here."""
    for region in mappings(os.getpid()):
        at = region.start + offset - region.offset
        if region.path.endswith(library) and region.start <= at < region.end:
            found = _Symbol()
            is_known = ctypes.CDLL(None).dladdr(ctypes.c_void_p(at), ctypes.byref(found))
            return (found.name or b"").decode() if is_known else ""
    return ""


class _Symbol(ctypes.Structure):
    """Dl_info of dlfcn.h."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def sample(process: WorkerProcess, finished: Callable[[], bool]) -> CodeSamples:
    """Sample a running worker at random moments until it has `finished` or samples suffice.

    The worker is left stopped.
    """
    found: Counter[Owner] = Counter()
    for seen in sightings(process, finished):
        found.update(one.owner for one in seen)
        if not CodeSamples(found).wants_more:
            break
    return CodeSamples(found)


def sightings(process: WorkerProcess, finished: Callable[[], bool]) -> Iterator[list[Sighting]]:
    """Yield what the threads of a running worker do at random moments, until it has `finished`.

    The worker is stopped whenever this yields, and at the end.
    """
    chance = random.SystemRandom()
    folder = process.inside
    while not finished():
        process.thaw()
        time.sleep(chance.uniform(*PAUSE_S))
        process.freeze()
        counters = program_counters(process.pid)
        regions = mappings(process.pid) if counters else []
        yield [sighting(thread, at, regions, folder) for thread, at in counters.items()]
