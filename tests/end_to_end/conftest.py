"""Fixtures of the tests that optimize whole tasks."""

from __future__ import annotations

import pytest

from tests.cli.command import BRIEF
from tests.cli.conftest import shell as shell
from tests.compat.conftest import old as old
from tests.compat.conftest import provider as provider


@pytest.fixture(autouse=True)
def brief_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make proofs brief; the test that is about them takes that back."""
    monkeypatch.setenv(BRIEF, "1")
