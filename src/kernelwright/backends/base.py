"""The `Backend` seam: what a language needs to be built, and what a model is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.schema import Candidate


class Availability(NamedTuple):
    """Whether a backend works here; `reason` and `hint` say why not."""

    ok: bool
    reason: str = ""
    hint: str = ""


class Backend(Protocol):
    """One way to write a candidate."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Kinds of device its candidates run on: `cpu`, `cuda`."""

    @property
    def timed_on(self) -> tuple[str, ...]:
        """Those where their times mean something; on the others values are compared only."""

    def availability(self) -> Availability:
        """Whether candidates can be built on this machine."""

    def toolchain(self) -> str:
        """What a build depends on besides the source; part of the build cache's key."""

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Environment for the building worker. May prepare shared files under `cache`."""

    def variables(self, device: str) -> Mapping[str, str]:
        """Environment for every worker with a candidate, by kind of device."""


class Language:
    """What most backends have in common: nothing special."""

    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def timed_on(self) -> tuple[str, ...]:
        """See `Backend.timed_on`."""
        return self.devices

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Nothing beyond what every worker gets."""
        return {}

    def variables(self, device: str) -> Mapping[str, str]:
        """Nothing beyond what every worker gets."""
        return {}
