"""The fingerprint of the environment, stored with every verdict: machine, versions, settings."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.backends.cpp import compiler_version
from kernelwright.sandbox.gpu import gpu_identity


def environment(threads: int, device: str) -> dict[str, Any]:
    """Return machine, versions and settings by name; unknown values are None."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "device": device,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "kernelwright": version("kernelwright") if _installed() else None,
        "compiler": compiler_version() or None,
        **gpu_identity(device),
    }


@functools.cache
def cpu_name() -> str | None:
    """Return the CPU's model name; None if the system does not tell."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or None
    for line in path.read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return None


CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


class DataCache(NamedTuple):
    """A cache that holds data, as the first CPU sees it."""

    name: str
    """`L1d`, `L2`."""
    kibibytes: int
    cpus: int
    """Number of logical CPUs that share it."""


def data_caches(folder: Path = CACHES) -> Iterator[DataCache]:
    """Yield the caches that the system describes, the smallest first."""
    for cache in sorted(folder.glob("index*")):
        files = [cache / name for name in ("level", "type", "size", "shared_cpu_list")]
        if not all(file.exists() for file in files):
            continue
        level, kind, size, cpus = (file.read_text().strip() for file in files)
        if kind != "Instruction":
            letter = "d" if kind == "Data" else ""
            yield DataCache(f"L{level}{letter}", int(size.removesuffix("K")), listed(cpus))


def listed(cpus: str) -> int:
    """Return how many CPUs a list of the kernel's has, such as `0-3,8`."""
    ranges = [part.partition("-") for part in cpus.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


@functools.cache
def _installed() -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version("kernelwright")
    except PackageNotFoundError:
        return False
    return True
