"""Fixtures of the tests that optimize whole tasks."""

from __future__ import annotations

import pytest

from tests.cli.command import BRIEF
from tests.cli.conftest import shell as shell
from tests.compat.conftest import old as old
from tests.compat.conftest import provider as provider


@pytest.fixture(autouse=True)
def brief_proof(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make proofs brief, but in the test that is about them."""
    if "verified" not in request.node.name:
        monkeypatch.setenv(BRIEF, "1")
