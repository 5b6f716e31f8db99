"""Whose code runs: samples of where a candidate's threads are, taken from outside.

While a worker runs a long block it is stopped at random moments, and the program counter of every
thread that computes is looked up in its memory map. Code under the worker's own folder was built
from the candidate, as was code without a file (a just-in-time compiler's). This can't be forged
from inside, and a kernel that is there but does no work gets no samples.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from kernelwright.sandbox.base import WorkerProcess
from kernelwright.sandbox.memory import Mapping, mappings, program_counters
from kernelwright.schema import Flag, Policy
from kernelwright.verifier.integrity.rules import flag

Owner = Literal["candidate", "library", "compiler", "waiting", "neutral"]
"""`neutral`: the interpreter and the C library, which all code uses."""

# Between two samples, seconds; drawn anew each time, so that nobody can be elsewhere by then.
PAUSE_S = (0.0002, 0.001)
LEAST_SAMPLES, ENOUGH_SAMPLES = 40, 60
# Policy `custom`: at least half of the computing samples must lie in code of the candidate.
LEAST_CUSTOM = 0.5
# Two standard deviations: what is refused is refused for less than half, not for bad luck.
DEVIATIONS = 2.0
WAITING = ("libgomp", "libiomp")
PACKAGES = ("/site-packages/", "/dist-packages/")
# torch.compile's output lies in the worker's folder, but the candidate did not write it.
COMPILED = "/inductor/"


class Engagement(NamedTuple):
    """How often which code was found running."""

    samples: Counter[Owner]

    @property
    def computing(self) -> int:
        """Samples in code that computes for somebody."""
        return sum(self.samples[name] for name in ("candidate", "library", "compiler"))

    @property
    def custom_share(self) -> float | None:
        """Share of the candidate's code in them; None where there are too few."""
        if self.computing < LEAST_SAMPLES:
            return None
        return self.samples["candidate"] / self.computing


def owner(address: int, regions: Iterable[Mapping], folder: str) -> Owner:
    """Whose code an address lies in."""
    for region in regions:
        if region.start <= address < region.end:
            return _owner_of(region.path, folder)
    return "neutral"


def _owner_of(path: str, folder: str) -> Owner:
    if path.rpartition("/")[2].startswith(WAITING):
        return "waiting"
    if path.startswith(folder) or not path:
        return "compiler" if COMPILED in path else "candidate"
    return "library" if any(package in path for package in PACKAGES) else "neutral"


def sample(process: WorkerProcess, finished: Callable[[], bool]) -> Engagement:
    """Let a worker run, stop and look at random moments, until it has `finished` or that is enough.

    It is left stopped.
    """
    found: Counter[Owner] = Counter()
    chance = random.SystemRandom()
    folder = process.inside
    while not finished() and Engagement(found).computing < ENOUGH_SAMPLES:
        process.thaw()
        time.sleep(chance.uniform(*PAUSE_S))
        process.freeze()
        counters = program_counters(process.pid)
        regions = mappings(process.pid) if counters else []
        found.update(owner(address, regions, folder) for address in counters)
    return Engagement(found)


def idle_flags(policy: Policy) -> Iterator[Flag]:
    """What it means that a call launches no kernel of the candidate's."""
    rule = "no-custom-code" if policy == "custom" else "torch-does-the-work"
    yield flag(rule, "a call launches no kernel of the candidate")


def engagement_flags(engagement: Engagement, policy: Policy) -> Iterator[Flag]:
    """What the samples mean under a policy."""
    share, count = engagement.custom_share, engagement.computing
    if share is None:
        if policy == "custom":
            yield flag("engagement-unknown", f"only {count} samples of its threads computing")
        return
    words = f"{share:.0%} of {count} samples of its computing threads lie in code of the candidate"
    spread = DEVIATIONS * math.sqrt(LEAST_CUSTOM * (1 - LEAST_CUSTOM) / count)
    if policy == "custom" and share < LEAST_CUSTOM - spread:
        yield flag("no-custom-code", words)
    elif share < LEAST_CUSTOM:
        yield flag("torch-does-the-work", words)
