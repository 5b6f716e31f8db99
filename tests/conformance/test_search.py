"""Every search strategy keeps the contract."""

from __future__ import annotations

import functools

import pytest

from kernelwright.agents.search.strategy import STRATEGIES
from kernelwright.testing.search import Open, SearchConformance


class TestStrategies(SearchConformance):
    @pytest.fixture(params=list(STRATEGIES))
    def opened(self, request: pytest.FixtureRequest) -> Open:
        return functools.partial(STRATEGIES.open, request.param)
