"""The sandbox that a device gets."""

from __future__ import annotations

import pytest

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.machine import _sandbox_for


def test_only_process_shows_a_gpu() -> None:
    assert _sandbox_for("cpu", "auto") == "auto"
    assert _sandbox_for("cpu", "docker") == "docker"
    assert _sandbox_for("cuda:0", "auto") == "process" == _sandbox_for("cuda:0", "process")
    with pytest.raises(PrerequisiteError, match="'bwrap' has no GPU"):
        _sandbox_for("cuda:0", "bwrap")
