"""Every backend keeps the contract."""

from __future__ import annotations

import pytest

from kernelwright.backends.base import Backend
from kernelwright.backends.registry import BACKENDS, open_backend
from kernelwright.testing.backend import BackendConformance


class TestBackends(BackendConformance):
    @pytest.fixture(params=list(BACKENDS))
    def backend(self, request: pytest.FixtureRequest) -> Backend:
        return open_backend(request.param)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_a_backend_has_the_name_it_is_opened_by(name: str) -> None:
    assert open_backend(name).name == name
