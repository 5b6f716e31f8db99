"""The measured speeds of a machine: copies at each level of its memory, products of each type.

They are measured once and kept in the cache folder, so that prompts stay the same within a run,
after a resume, and for a provider's cache. A verdict's roof is measured anew by each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Record, digest
from kernelwright.store.files import write_atomically
from kernelwright.verifier.environment import data_caches, environment
from kernelwright.verifier.reference.reference import CACHE_BYTES, MEMORY_BYTES, Reference

FOLDER = "speeds"
CPUINFO = Path("/proc/cpuinfo")
# A call of torch takes as long as copying a few KiB: what is smaller can't be measured by it.
LEAST_BYTES = 2**17
# A CPU without these computes bfloat16 no faster than float32.
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16", " bf16")


class Speeds(Record):
    """Speeds of all threads of a run together, or of its GPU."""

    copies: dict[str, float]
    """Bytes read and written per second, by where source and target lie."""
    products: dict[str, float]
    """Operations per second of a large matrix product, by type."""

    @property
    def words(self) -> tuple[str, ...]:
        """The speeds in lines of a device card."""
        copies = ", ".join(f"{name} {speed / 1e9:.0f}" for name, speed in self.copies.items())
        products = ", ".join(f"{name} {speed / 1e9:.0f}" for name, speed in self.products.items())
        return (
            f"Measured copies, GB/s read and written: {copies}",
            f"Measured large matrix product, GFLOP/s: {products}",
        )


def known_speeds(reference: Reference, cache: Path) -> Speeds:
    """Return the machine's speeds, from the cache folder or measured now.

    Raises:
        InfrastructureError: the reference's worker fails.
        PrerequisiteError: the folder cannot be written.
    """
    path = speeds_file(reference.machine, cache)
    try:
        return Speeds.model_validate_json(path.read_text())
    except (OSError, ValueError):
        found = _measured(reference)
    write_atomically(path, found.model_dump_json())
    return found


def speeds_file(machine: Machine, cache: Path) -> Path:
    """Return the file that keeps a machine's speeds: one for each set of threads and versions."""
    key = digest(environment(machine.threads, machine.device))[:16]
    return cache / FOLDER / f"{key}.json"


def _measured(reference: Reference) -> Speeds:
    levels = dict(_levels(reference.machine))
    copies = {name: reference.speed_of_copies(nbytes) for name, nbytes in levels.items()}
    products = {"float32": reference.product_speed}
    if reference.machine.kind != "cpu" or _has_bfloat16():
        products["bfloat16"] = reference.speed_of_products("bfloat16")
    return Speeds(copies={**copies, "memory": reference.bandwidth}, products=products)


def _levels(machine: Machine) -> Iterator[tuple[str, int]]:
    """Yield the caches, with the bytes to copy: source and target fill half of what there is."""
    if machine.kind != "cpu":
        yield "caches", CACHE_BYTES[machine.kind]
        return
    for cache in data_caches():
        count = max(1, machine.threads // cache.cpus)
        nbytes = cache.kibibytes * 1024 * count // 4
        if LEAST_BYTES <= nbytes < MEMORY_BYTES["cpu"]:
            yield cache.name, nbytes


def _has_bfloat16() -> bool:
    text = CPUINFO.read_text() if CPUINFO.exists() else ""
    return any(unit in text for unit in BFLOAT16_UNITS)
