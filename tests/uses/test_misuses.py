"""Every misuse is found by a use that is meant for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.uses.corpus import Misuse, misuses
from tests.uses.trials import tried
from tests.verifier.kit import machine

# Half of them, for time; benchmarks/uses.py tries them all, in every use.
TESTED = misuses()[::2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builds")


@pytest.mark.parametrize("misuse", TESTED, ids=lambda misuse: misuse.name)
def test_a_misuse_is_found_by_a_use_that_is_meant_for_it(misuse: Misuse, cache: Path) -> None:
    (results,) = tried(misuse.task, [(misuse.path, misuse.uses)], machine(), cache)
    assert any(result.outcome in misuse.outcomes for result in results), results
