"""The device card: the few facts about a machine that decide how a kernel is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kernelwright.backends.cpp import compiler_version
from kernelwright.verifier.environment import cpu_name

if TYPE_CHECKING:
    from kernelwright.sandbox.machine import Machine

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# Flag in /proc/cpuinfo -> what a kernel author calls it.
VECTOR_UNITS = {
    "amx_tile": "AMX",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512f": "AVX-512 (16 float32)",
    "avx2": "AVX2 (8 float32)",
    "fma": "FMA",
    "f16c": "F16C",
    "sve": "SVE",
    "asimd": "NEON (4 float32)",
}


def device_card(
    machine: Machine, cpuinfo: Path = CPUINFO, caches: Path = CACHES
) -> tuple[str, ...]:
    """Return the card's lines; what the system doesn't tell is left out."""
    if machine.device != "cpu":
        return gpu_card(torch.cuda.get_device_properties(machine.device))
    facts = {
        "CPU": cpu_name(),
        "Threads": f"{machine.threads} of {os.cpu_count()} logical CPUs",
        "Vector units": ", ".join(vector_units(cpuinfo)),
        "Caches": "; ".join(cache_sizes(caches)),
        "Compiler": compiler_version(),
    }
    return tuple(f"{name}: {fact}" for name, fact in facts.items() if fact)


def gpu_card(properties: Any) -> tuple[str, ...]:
    """Return the card of a GPU, from torch's properties of it."""
    shared = properties.shared_memory_per_block_optin // 1024
    return (
        f"GPU: {properties.name}, compute capability {properties.major}.{properties.minor}",
        f"Multiprocessors: {properties.multi_processor_count}, each with "
        f"{properties.regs_per_multiprocessor} registers and "
        f"{properties.max_threads_per_multi_processor} threads",
        f"Shared memory: up to {shared} KiB a block",
        f"L2: {properties.L2_cache_size / 2**20:.0f} MiB",
        f"Memory: {properties.total_memory / 2**30:.0f} GiB",
    )


def vector_units(cpuinfo: Path) -> list[str]:
    """Return the vector units that the first CPU's flags name."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    words = next((x.split(":", 1)[1] for x in lines if x.startswith(("flags", "Features"))), "")
    flags = set(words.split())
    return [name for flag, name in VECTOR_UNITS.items() if flag in flags]


def cache_sizes(folder: Path) -> Iterator[str]:
    """Yield one text per data cache that the system describes, the smallest first."""
    for cache in sorted(folder.glob("index*")):
        files = [cache / name for name in ("level", "type", "size", "shared_cpu_list")]
        if not all(file.exists() for file in files):
            continue
        level, kind, size, cpus = (file.read_text().strip() for file in files)
        if kind != "Instruction":
            letter = "d" if kind == "Data" else ""
            yield f"L{level}{letter} {_in_units(size)}{_shared(cpus)}"


def _in_units(size: str) -> str:
    kibibytes = int(size.removesuffix("K"))
    return f"{kibibytes // 1024} MiB" if kibibytes % 1024 == 0 else f"{kibibytes} KiB"


def _shared(cpus: str) -> str:
    ranges = [part.partition("-") for part in cpus.split(",")]
    count = sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
    return f" shared by {count} CPUs" if count > 1 else " per CPU"
