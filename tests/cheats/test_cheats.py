"""Every cheat of the corpus is refused, for the reason that is meant for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.cheats.corpus import FOLDER, Cheat, load_corpus, readme
from tests.cli.kit import ROOT
from tests.corpora import Job, batches, judged

CHEATS = load_corpus()


def kind(cheat: Cheat) -> tuple[str, str, str]:
    """Return what candidates of one command have in common."""
    return cheat.task, cheat.level, cheat.policy


def jobs() -> list[Job]:
    """Return the whole corpus as commands."""
    found = []
    for (task, level, policy), group in groupby(sorted(CHEATS, key=kind), kind):
        place = str(ROOT / task) if (ROOT / task).exists() else task
        found += batches(place, level, policy, [cheat.path for cheat in group])
    return found


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Path, dict[str, Any]]:
    return judged(jobs(), tmp_path_factory.mktemp("cheats"))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.path.stem)
def test_a_cheat_is_refused(cheat: Cheat, verdicts: Mapping[Path, dict[str, Any]]) -> None:
    verdict = verdicts[cheat.path]
    assert verdict.get("accepted") is False, verdict["reason"]
    assert cheat.is_caught(verdict), (verdict["status"], verdict["reason"])
    assert verdict["explanation"]
    assert verdict["speedup"] is None


def test_the_table_is_up_to_date_and_every_group_is_there() -> None:
    assert (FOLDER / "README.md").read_text() == readme(CHEATS)
    assert {cheat.path.parent.name for cheat in CHEATS} == set("abcdefg")
    assert len({cheat.path.read_text() for cheat in CHEATS}) == len(CHEATS) >= 60
