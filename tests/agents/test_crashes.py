"""A search that is killed anywhere ends like one that was not, and pays for nothing twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.agents.crashes import crash, provider, seconds_of

SEARCHES = 4


def test_killed_searches_end_like_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked, whole = tmp_path / "asked.jsonl", tmp_path / "whole"
    asked.touch()
    kills = 0
    with provider(asked) as hosted:
        seconds_of(hosted, whole)
        for number in range(SEARCHES):
            found = crash(hosted, asked, tmp_path / str(number), whole, random.Random(number))
            assert found.is_identical
            assert (found.paid_twice, found.lost) == (0, 0)
            kills += found.kills
    assert kills >= SEARCHES
