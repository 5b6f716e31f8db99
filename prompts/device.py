"""The device card: the few facts about a machine that decide how a kernel is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from kernelwright.backends.cpp import compiler_version
from kernelwright.verifier.environment import cpu_name, data_caches, listed

if TYPE_CHECKING:
    from kernelwright.sandbox.machine import Machine

CPU = "sys/devices/system/cpu/cpu0"
HUGE_PAGES = {
    "always": "for every large allocation",
    "madvise": "only where madvise(MADV_HUGEPAGE) asks for them",
    "never": "none",
}
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
ASK_FOR_AMX = (
    "a process asks for its tiles once, syscall(SYS_arch_prctl, 0x1023, 18), else they fault; each "
    "thread configures its own"
)


def device_card(machine: Machine, root: Path = Path("/")) -> tuple[str, ...]:
    """Return the card's lines; what the system doesn't tell is left out."""
    if machine.device != "cpu":
        card = gpu_card(torch.cuda.get_device_properties(machine.device))
        return (*card, *machine.measured)
    units = vector_units(root / "proc/cpuinfo")
    facts = {
        "CPU": f"{cpu_name() or ''}{_clock(root)}",
        "Threads": _threads(machine, root),
        "Vector units": ", ".join(units),
        "AMX": ASK_FOR_AMX if "AMX" in units else "",
        "Caches": "; ".join(cache_sizes(root / CPU / "cache")),
        "Huge pages": _huge_pages(root),
        "Compiler": compiler_version(),
    }
    return (*(f"{name}: {fact}" for name, fact in facts.items() if fact), *machine.measured)


class Processor(NamedTuple):
    """The processor that candidates run on."""

    name: str | None
    """None where the system does not tell."""
    units: tuple[str, ...]
    """Vector units of a CPU, or the compute capability of a GPU."""


def processor_of(machine: Machine, root: Path = Path("/")) -> Processor:
    """Return the CPU or the GPU of a machine."""
    if machine.device == "cpu":
        return Processor(cpu_name(), tuple(vector_units(root / "proc/cpuinfo")))
    properties = torch.cuda.get_device_properties(machine.device)
    return Processor(properties.name, (f"{properties.major}.{properties.minor}",))


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
    for cache in data_caches(folder):
        shared = f" shared by {cache.cpus} CPUs" if cache.cpus > 1 else " per CPU"
        yield f"{cache.name} {_in_units(cache.kibibytes)}{shared}"


def _in_units(kibibytes: int) -> str:
    return f"{kibibytes // 1024} MiB" if kibibytes % 1024 == 0 else f"{kibibytes} KiB"


def _threads(machine: Machine, root: Path) -> str:
    siblings = _text(root / CPU / "topology/thread_siblings_list")
    each = listed(siblings) if siblings else None
    smt = {None: "", 1: ", one for each core"}.get(each, f", {each} for each core")
    nodes = len(list((root / "sys/devices/system/node").glob("node[0-9]*")))
    numa = f"; {nodes} NUMA nodes" if nodes > 1 else ""
    return f"{machine.threads} of {os.cpu_count()} logical CPUs{smt}{numa}"


def _clock(root: Path) -> str:
    """Return the highest clock in words; the present one changes, and so would prompts."""
    kilohertz = _text(root / CPU / "cpufreq/cpuinfo_max_freq")
    return f", up to {int(kilohertz) / 1e6:.1f} GHz" if kilohertz.isdecimal() else ""


def _huge_pages(root: Path) -> str:
    chosen = re.search(r"\[(\w+)\]", _text(root / "sys/kernel/mm/transparent_hugepage/enabled"))
    return HUGE_PAGES.get(chosen[1], "") if chosen else ""


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
