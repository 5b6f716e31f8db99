"""The machine that all workers of a run share: sandbox, threads, device."""

from __future__ import annotations

import os
from typing import NamedTuple

from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.leases import core_name


class Machine(NamedTuple):
    """What all workers of a session share."""

    sandbox: Sandbox
    threads: int
    device: str
    """`cpu` or `cuda:N`."""

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return self.device.partition(":")[0]

    @property
    def cores(self) -> tuple[int, ...]:
        """The CPUs that every worker is pinned to: as many as it has threads, where there are."""
        return tuple(sorted(os.sched_getaffinity(0))[: self.threads])

    @property
    def devices(self) -> tuple[str, ...]:
        """What a timed job must have for itself, as names for `lease`."""
        cores = tuple(map(core_name, self.cores))
        return cores if self.device == "cpu" else (self.device.replace(":", ""), *cores)
