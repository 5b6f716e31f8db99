"""One kernel as a compiler made it, for one GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import torch
from pydantic import Field

from kernelwright.schema import Evidence, Record
from kernelwright.verifier.gpu_compile.instructions import mix, widest_share
from kernelwright.verifier.gpu_compile.occupancy import Occupancy, occupancy

# ptxas -v
ENTRY = re.compile(r"Compiling entry function '(\w+)'")
REGISTERS = re.compile(r"Used (\d+) registers")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
SHARED = re.compile(r"(\d+) bytes smem")

Count = Annotated[int, Field(ge=0, lt=2**31)]
SHOWN_KINDS = 4
MAX_FACTS = 30
MAX_NAME = 80
# Where the compiler is not told how many threads a block has.
USUAL_WARPS = 8


class Binary(Record):
    """Device code as a worker describes it: what was made of one file or one launch."""

    cubin: str = Field(max_length=1000)
    """Its path, for the worker."""
    log: str = Field(max_length=100_000)
    """Output of ptxas -v."""
    seconds: float = Field(ge=0)
    warps: Annotated[int, Field(ge=1, le=64)] | None = None
    shared_bytes: Count = 0
    """Shared memory that is asked for at launch."""


Listing = Annotated[dict[str, dict[str, Count]], Field(max_length=200)]
"""Kernel -> how often each instruction stands in its text."""


class CompiledKernel(Record):
    """Compile-time facts about one kernel on one kind of GPU."""

    name: str
    capability: int
    """90 for compute capability 9.0 (sm_90)."""
    warps: int | None
    """Warps in a block; None where only a launch says so."""
    registers: int | None
    """Registers of a thread; None where the assembler does not say."""
    spilled_bytes: int | None
    """Bytes that a thread writes to local memory because registers ran out."""
    shared_bytes: int
    """Shared memory of a block."""
    instructions: dict[str, int]
    """Instructions by what they are for, counted in the text."""
    wide_share: float | None
    """Share of accesses to global memory that move 16 bytes a thread; None without any."""
    seconds: float
    """Time to compile it."""

    @property
    def occupancy(self) -> Occupancy | None:
        """Occupancy, with 256 threads a block if that is unknown; None without registers."""
        if self.registers is None:
            return None
        warps = self.warps or USUAL_WARPS
        return occupancy(self.capability, warps, self.registers, self.shared_bytes)


class Compilation(NamedTuple):
    """The outcome of compiling one candidate for several GPUs."""

    kernels: tuple[CompiledKernel, ...]
    failures: Mapping[int, str]
    """Compute capability -> why it does not compile for that."""


def kernels_in(binary: Binary, listing: Listing, capability: int) -> list[CompiledKernel]:
    """Return the facts about every kernel in what a worker has compiled."""
    _, *parts = ENTRY.split(binary.log)
    logs = zip(parts[::2], parts[1::2], strict=True)
    return [_kernel(binary, name, log, listing.get(name, {}), capability) for name, log in logs]


def _kernel(
    binary: Binary, name: str, log: str, instructions: Mapping[str, int], capability: int
) -> CompiledKernel:
    registers, spills, shared = (p.search(log) for p in (REGISTERS, SPILLS, SHARED))
    return CompiledKernel(
        name=readable(name),
        capability=capability,
        warps=binary.warps,
        registers=int(registers.group(1)) if registers else None,
        spilled_bytes=int(spills.group(1)) if spills else None,
        shared_bytes=max(binary.shared_bytes, int(shared.group(1)) if shared else 0),
        instructions=mix(instructions),
        wide_share=widest_share(instructions),
        seconds=binary.seconds,
    )


def readable(name: str) -> str:
    """Return a kernel's name as its source has it, template arguments included."""
    full: str = torch._C._demangle(name)
    plain = full.replace("(anonymous namespace)::", "").removeprefix("void ")
    return plain.partition("(")[0][:MAX_NAME]


def words(kernel: CompiledKernel) -> str:
    """Return the facts on one line."""
    total = max(1, sum(kernel.instructions.values()))
    shown = list(kernel.instructions.items())[:SHOWN_KINDS]
    kinds = ", ".join(f"{count / total:.0%} {name}" for name, count in shown)
    warps = f"{kernel.warps or f'{USUAL_WARPS} (assumed)'} warps a block"
    parts = [f"{kernel.registers or '?'} registers", warps]
    if kernel.spilled_bytes:
        parts.append(f"{kernel.spilled_bytes} bytes spilled")
    if kernel.shared_bytes >= 1024:
        parts.append(f"{kernel.shared_bytes / 1024:.1f} KiB shared")
    if kernel.occupancy is not None:
        fits = kernel.occupancy
        parts.append(f"occupancy {fits.share:.0%} (limited by {fits.limit})")
    if kernel.wide_share is not None:
        parts.append(f"{kernel.wide_share:.0%} of accesses 16 bytes wide")
    return f"{kernel.name} on sm_{kernel.capability}: {', '.join(parts)}; {kinds}"


def static_evidence(compilation: Compilation) -> Evidence:
    """Return what compiling has shown, at level `static`: nothing was run."""
    facts = [words(kernel) for kernel in compilation.kernels]
    facts += [
        f"does not compile for sm_{capability}: {reason}"
        for capability, reason in compilation.failures.items()
    ]
    return Evidence(level="static", facts=tuple(facts[:MAX_FACTS]))
