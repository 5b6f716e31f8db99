"""Check of what a sandbox holds on this machine, by trying it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.bwrap import NO_GROUPS
from kernelwright.sandbox.probes import PROBES, ProbeResult, attempt, host
from kernelwright.sandbox.registry import open_sandbox
from kernelwright.schema import SandboxInfo

# Probes that `process` does not claim to stop.
OPEN_IN_PROCESS = frozenset(probe.name for probe in PROBES) - {"core dumps"}
# Probes that take control groups to stop.
TOGETHER = frozenset({"fork bomb", "memory bomb"})


class Checked(NamedTuple):
    """The outcome of trying one sandbox."""

    name: str
    info: SandboxInfo | None
    """None where this machine can't have it."""
    why_not: str
    findings: tuple[ProbeResult, ...]

    @property
    def broken(self) -> list[ProbeResult]:
        """Limits that it claims and that do not hold."""
        claimed = self.claimed
        return [one for one in self.findings if one.probe in claimed and not one.is_held]

    @property
    def claimed(self) -> frozenset[str]:
        """Names of the probes that it says it stops."""
        everything = frozenset(probe.name for probe in PROBES)
        if self.info is None:
            return frozenset()
        if self.info.kind == "process":
            return everything - OPEN_IN_PROCESS
        return everything - (TOGETHER if NO_GROUPS in self.info.lacks else frozenset())

    def document(self) -> dict[str, Any]:
        """Return the document that `--json` prints."""
        return {
            "sandbox": self.name,
            "available": self.info is not None,
            "why_not": self.why_not or None,
            "lacks": self.info.lacks if self.info else None,
            "limits": [
                {**one._asdict(), "claimed": one.probe in self.claimed} for one in self.findings
            ],
        }


def check(name: str, cache: Path) -> Checked:
    """Try every probe in a sandbox.

    Args:
        cache: folder with what workers are shown.
    """
    try:
        sandbox = open_sandbox(name)
    except PrerequisiteError as error:
        return Checked(name, None, error.message, ())
    try:
        with host(cache) as where:
            found = tuple(attempt(sandbox, probe, where) for probe in PROBES)
        return Checked(name, sandbox.info, "", found)
    finally:
        sandbox.close()
