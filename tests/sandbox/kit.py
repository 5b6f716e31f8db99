"""Sandboxes for tests: those that this machine can have, all of them where that is demanded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.registry import open_sandbox

# Set where nothing may be skipped: in CI.
ALL_OF_THEM = "TEST_ALL_SANDBOXES"


@contextmanager
def opened(name: str) -> Iterator[Sandbox]:
    """Yield the sandbox; skip the test where the machine can't have it."""
    try:
        sandbox = open_sandbox(name)
    except PrerequisiteError as error:
        if os.environ.get(ALL_OF_THEM):
            raise
        pytest.skip(f"no sandbox {name!r} here: {error.message}")
    try:
        yield sandbox
    finally:
        sandbox.close()
