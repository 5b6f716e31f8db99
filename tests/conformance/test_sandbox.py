"""Every sandbox has the duties of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.registry import SANDBOXES
from kernelwright.testing.sandbox import SandboxConformance
from tests.sandbox.kit import opened


class TestSandboxes(SandboxConformance):
    @pytest.fixture(scope="class", params=list(SANDBOXES))
    @classmethod
    def sandbox(cls, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
        with opened(request.param) as found:
            yield found

    @pytest.fixture
    def another(self, sandbox: Sandbox) -> Iterator[Sandbox]:
        with opened(sandbox.info.kind) as found:
            yield found
