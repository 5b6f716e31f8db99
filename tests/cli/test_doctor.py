"""`kernelwright doctor` on a machine that others use."""

from __future__ import annotations

import os

import pytest

from kernelwright.cli import doctor
from kernelwright.verifier.timing import contention


@pytest.mark.parametrize(
    ("used", "ok", "text"),
    [
        (0.03, True, "others use 0.03 of 2 cores"),
        (1.87, False, "busy: others use 1.87 of 2 cores, mostly python (7); times may stay"),
        (None, False, "unknown: this system does not tell"),
    ],
)
def test_a_busy_machine_is_told(
    used: float | None, ok: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meter:
        def __init__(self, *_: object) -> None:
            """Take workers and cores."""

        def external_cores(self) -> float | None:
            """Return what was asked for."""
            return used

    monkeypatch.setattr(contention, "LoadMeter", Meter)
    monkeypatch.setattr(contention, "busiest_process", lambda _s: "python (7)")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    found = doctor._quiet()
    assert (found.ok, found.needed) == (ok, False) and found.text.startswith(text)


def test_the_busiest_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[("a (1)", 5), ("b (2)", 90)], [("a (1)", 9), ("b (2)", 91), ("c (3)", 99)]])
    monkeypatch.setattr(contention, "_processes", lambda: next(looks))
    assert contention.busiest_process(0) == "a (1)"
    monkeypatch.setattr(contention, "_processes", lambda: [("a (1)", 5)])
    assert contention.busiest_process(0) is None


def test_all_other_processes_are_watched() -> None:
    ids = {int(name.rpartition("(")[2].rstrip(")")) for name, _ in contention._processes()}
    assert 1 in ids and os.getpid() not in ids
