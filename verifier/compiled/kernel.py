"""One kernel as a compiler made it, for one GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import Field

from kernelwright.schema import Evidence, Record
from kernelwright.verifier.compiled.instructions import mix, widest_share
from kernelwright.verifier.compiled.occupancy import Occupancy, occupancy

# ptxas -v
REGISTERS = re.compile(r"Used (\d+) registers")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")

Count = Annotated[int, Field(ge=0, lt=2**31)]
SHOWN_KINDS = 4
MAX_FACTS = 30


class Listing(Record):
    """A kernel as a worker describes it."""

    name: str = Field(max_length=200, pattern=r"^\w+$")
    warps: Annotated[int, Field(ge=1, le=64)]
    shared_bytes: Count
    log: str = Field(max_length=4000)
    """What ptxas says with -v."""
    instructions: dict[str, Count] = Field(max_length=200)
    seconds: float = Field(ge=0)


class CompiledKernel(Record):
    """Compile-time facts about one kernel on one kind of GPU."""

    name: str
    capability: int
    """90 for compute capability 9.0 (sm_90)."""
    warps: int
    """In a block."""
    registers: int | None
    """A thread; None where the assembler does not say."""
    spilled_bytes: int | None
    """That a thread writes to local memory because registers ran out."""
    shared_bytes: int
    """A block."""
    instructions: dict[str, int]
    """By what they are for, counted in the text."""
    wide_share: float | None
    """Share of accesses to global memory that move 16 bytes a thread; None without any."""
    seconds: float
    """To compile it."""

    @property
    def occupancy(self) -> Occupancy | None:
        """None where the registers are not known."""
        if self.registers is None:
            return None
        return occupancy(self.capability, self.warps, self.registers, self.shared_bytes)


class Compilation(NamedTuple):
    """What came of compiling one candidate for several GPUs."""

    kernels: tuple[CompiledKernel, ...]
    failures: Mapping[int, str]
    """By compute capability: why it does not compile for that."""


def compiled(listing: Listing, capability: int) -> CompiledKernel:
    """The facts in what a worker says."""
    registers, spills = REGISTERS.search(listing.log), SPILLS.search(listing.log)
    return CompiledKernel(
        name=listing.name,
        capability=capability,
        warps=listing.warps,
        registers=int(registers.group(1)) if registers else None,
        spilled_bytes=int(spills.group(1)) if spills else None,
        shared_bytes=listing.shared_bytes,
        instructions=mix(listing.instructions),
        wide_share=widest_share(listing.instructions),
        seconds=listing.seconds,
    )


def words(kernel: CompiledKernel) -> str:
    """The facts on one line."""
    total = max(1, sum(kernel.instructions.values()))
    shown = list(kernel.instructions.items())[:SHOWN_KINDS]
    kinds = ", ".join(f"{count / total:.0%} {name}" for name, count in shown)
    parts = [f"{kernel.registers or '?'} registers", f"{kernel.warps} warps a block"]
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
    """What compiling has shown, at level `static`: nothing was run."""
    facts = [words(kernel) for kernel in compilation.kernels]
    facts += [
        f"does not compile for sm_{capability}: {reason}"
        for capability, reason in compilation.failures.items()
    ]
    return Evidence(level="static", facts=tuple(facts[:MAX_FACTS]))
