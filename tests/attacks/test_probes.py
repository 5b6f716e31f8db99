"""Known ways out, tried in every sandbox that this machine can have: what is claimed must hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.check import Checked, check
from kernelwright.sandbox.probes import PROBES, SHOWN, Host, Probe, attempt, host
from kernelwright.sandbox.registry import SANDBOXES
from tests.sandbox.kit import opened


@pytest.fixture(scope="module", params=["docker", "bwrap"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with opened(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("cache")) as found:
        yield found


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_there_is_no_way_out(sandbox: Sandbox, probe: Probe, where: Host) -> None:
    finding = attempt(sandbox, probe, where)
    claimed = Checked(sandbox.info.kind, sandbox.info, "", ()).claimed
    assert finding.is_held or probe.name not in claimed, finding.words


def test_process_is_as_open_as_it_says(tmp_path: Path) -> None:
    """Check that the probes can tell: what a sandbox does not hold, they get through."""
    found = check("process", tmp_path)
    assert not found.broken
    assert {one.probe for one in found.findings if one.is_held} <= MAY_BE_HELD


# Held for reasons other than `process`'s own, by the user that runs these tests.
MAY_BE_HELD = {
    "core dumps",
    SHOWN,
    "name lookup",
    "virtual machine sockets",
    "another user",
    "device files",
    "raised priority",
    "mounts",
    "new namespaces",
    "network interfaces",
}


def test_all_sandboxes_are_known() -> None:
    assert list(SANDBOXES) == ["docker", "bwrap", "process"]
