"""Fixtures of the command-line tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.kit import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a private place to run commands in."""
    return Shell(tmp_path)
