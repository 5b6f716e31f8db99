"""Episodes that are killed anywhere end like whole ones, and no budget is passed by them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.agents.crashes import Tooled, crash, episodes, provider, seconds_of
from tests.agents.model_kit import TASK
from tests.agents.schedules import billing, played
from tests.agents.schedules import episodes as by_episodes

KILLS = 20
SCHEDULES = 100


def test_killed_episodes_end_like_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked, whole = tmp_path / "asked.jsonl", tmp_path / "whole"
    asked.touch()
    kills = number = 0
    with provider(asked, Tooled) as hosted:
        seconds_of(hosted, whole, episodes)
        while kills < KILLS:
            folder, chance = tmp_path / str(number), random.Random(number)
            found = crash(hosted, asked, folder, whole, chance, episodes)
            assert found.is_identical
            assert (found.paid_twice, found.lost, found.tools_lost) == (0, 0, 0)
            kills += found.kills
            number += 1


def test_no_schedule_of_episodes_overshoots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with billing(tmp_path) as (server, store):
        outcomes = [played(server, store, seed, by_episodes) for seed in range(SCHEDULES)]
        ran = [store.tool_steps_of(f"schedule-{seed}", TASK.id) for seed in range(SCHEDULES)]
    assert [outcome for outcome in outcomes if outcome.is_overshot] == []
    assert any(len(steps) > 3 for attempts in ran for steps in attempts.values())
