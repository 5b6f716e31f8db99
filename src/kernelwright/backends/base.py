"""The `Backend` seam: how candidates in a language are built, and where they run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.schema import Candidate


class Availability(NamedTuple):
    """The availability of a backend on this machine; `reason` and `hint` are for a missing one."""

    ok: bool
    reason: str = ""
    hint: str = ""


class Backend(Protocol):
    """One way to write a candidate."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Kinds of device that its candidates run on: `cpu`, `cuda`."""

    @property
    def timed_on(self) -> tuple[str, ...]:
        """Kinds of device where times mean something; on the others only values are compared."""

    def availability(self) -> Availability:
        """Return whether candidates can be built on this machine."""

    def toolchain(self) -> str:
        """Return the versions that a build depends on; part of the build cache's key."""

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Return environment variables for the building worker.

        May prepare shared files under `cache`.
        """

    def variables(self, device: str) -> Mapping[str, str]:
        """Return environment variables for every worker with a candidate on a kind of device."""


class Language:
    """Base of most backends: both kinds of device, and no environment variables."""

    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def timed_on(self) -> tuple[str, ...]:
        """See `Backend.timed_on`."""
        return self.devices

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Return no variables."""
        return {}

    def variables(self, device: str) -> Mapping[str, str]:
        """Return no variables."""
        return {}
