"""The machine that all workers of a run share: sandbox, threads, device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.leases import core_name
from kernelwright.sandbox.registry import open_sandbox

if TYPE_CHECKING:  # benchmarks/gpu runs without pydantic
    from kernelwright.schema import MachineSpec


class Machine(NamedTuple):
    """The sandbox, threads and device that all workers of a run share."""

    sandbox: Sandbox
    threads: int
    device: str
    """`cpu` or `cuda:N`."""
    measured: tuple[str, ...] = ()
    """Lines on its measured speeds, for prompts; empty where nothing was measured."""

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
        """Devices that a timed job must have for itself, as names for `lease`."""
        cores = tuple(map(core_name, self.cores))
        return cores if self.device == "cpu" else (self.device.replace(":", ""), *cores)


@contextmanager
def open_machine(spec: MachineSpec) -> Iterator[Machine]:
    """Open a sandbox and a device; every worker is gone at the end.

    Raises:
        PrerequisiteError: one of them is not here.
    """
    device = resolve_device(spec.target)
    sandbox = open_sandbox(_sandbox_for(device, spec.sandbox))
    try:
        yield Machine(sandbox, spec.threads or len(os.sched_getaffinity(0)), device)
    finally:
        sandbox.close()


def _sandbox_for(device: str, name: str) -> str:
    """Return the sandbox to open: only `process` shows its workers a GPU."""
    if device == "cpu" or name == "process":
        return name
    if name == "auto":
        return "process"
    raise PrerequisiteError(
        f"sandbox {name!r} has no GPU for its workers",
        hint="use --sandbox process, or --target cpu",
    )


def resolve_device(target: str) -> str:
    """Return `cpu` or `cuda:N`; `auto` is the CPU until timing on GPUs is validated.

    Raises:
        PrerequisiteError: a GPU was asked for that is not there.
    """
    if target in ("auto", "cpu"):
        return "cpu"
    count = gpu_count()
    index = int(target.partition(":")[2] or 0)
    if index >= count:
        raise PrerequisiteError(
            f"target {target!r} asks for GPU {index}, and torch sees {count} here",
            hint="use --target cpu, or install a torch with CUDA",
        )
    return f"cuda:{index}"


def gpu_count() -> int:
    """Return how many GPUs torch sees here."""
    import torch

    return torch.cuda.device_count()
