"""Fixtures of the tests that optimize whole tasks."""

from __future__ import annotations

from tests.cli.conftest import shell as shell
from tests.compat.conftest import old as old
from tests.compat.conftest import provider as provider
