"""The table of `kernelwright sandbox check`."""

from __future__ import annotations

import pytest

from kernelwright.report.sandboxes import show
from kernelwright.sandbox.check import Checked
from kernelwright.sandbox.probes import PROBES, ProbeResult
from kernelwright.schema import SandboxInfo

INFO = SandboxInfo(kind="bwrap", holds=("a",), lacks=("a Linux kernel of its own",))
PROCESS = SandboxInfo(kind="process", holds=(), lacks=("network isolation",))


def findings(held: bool) -> tuple[ProbeResult, ...]:
    return tuple(ProbeResult(probe.name, held, f"why {probe.name}") for probe in PROBES)


def test_one_sandbox_shows_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    show([Checked("bwrap", INFO, "", findings(True))])
    out = capsys.readouterr().out
    assert "what happened" in out and f"why {PROBES[0].name}" in out
    assert "BROKEN" not in out and "bwrap does not hold: a Linux kernel of its own" in out


def test_several_are_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    missing = Checked("docker", None, "no Docker engine answers", ())
    show([missing, Checked("bwrap", INFO, "", findings(False)),
          Checked("process", PROCESS, "", findings(False))])  # fmt: skip
    out = capsys.readouterr().out
    assert "docker: not here: no Docker engine answers" in out
    assert "auto takes bwrap" in out
    row = next(line for line in out.splitlines() if line.startswith("network "))
    assert row.split() == ["network", "BROKEN", "open"]


def test_a_broken_promise_is_told_from_what_nobody_promised() -> None:
    held, broken = Checked("bwrap", INFO, "", findings(True)), findings(False)
    assert not held.broken
    assert len(Checked("bwrap", INFO, "", broken).broken) == len(PROBES)
    assert [one.probe for one in Checked("process", PROCESS, "", broken).broken] == ["core dumps"]
    assert not Checked("docker", None, "why", ()).broken
