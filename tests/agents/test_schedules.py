"""Random schedules: however many callers ask at once, no more is billed than was allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.schedules import billing, played

SCHEDULES = 25


def test_no_schedule_overshoots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with billing(tmp_path) as (server, store):
        outcomes = [played(server, store, seed) for seed in range(SCHEDULES)]
    assert [outcome for outcome in outcomes if outcome.is_overshot] == []
    assert any(outcome.calls > 1 for outcome in outcomes)
    assert any(outcome.calls == 0 for outcome in outcomes)
