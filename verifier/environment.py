"""The fingerprint of the environment, stored with every verdict: machine, versions, settings."""

from __future__ import annotations

import functools
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

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


@functools.cache
def _installed() -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version("kernelwright")
    except PackageNotFoundError:
        return False
    return True
