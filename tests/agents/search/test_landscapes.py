"""Strategies on the stored landscapes: replayed, so the same every time."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.landscapes import stored
from benchmarks.search import Random
from kernelwright.agents.search.strategy import SearchStrategy, open_strategy
from kernelwright.config import Settings
from tests.agents.scripted import evaluations_needed, landscape

SPACES = [landscape(document) for document in stored().values()]
SEEDS, SHARE, LIMIT = 50, 0.95, 150


def median(strategy: SearchStrategy, place: int) -> float:
    found = [
        evaluations_needed(SPACES[place], strategy, seed, SHARE, LIMIT) for seed in range(SEEDS)
    ]
    return statistics.median(found)


def test_there_are_landscapes_of_several_kernels() -> None:
    assert len(SPACES) >= 4
    for space in SPACES:
        points = 1
        for values in space.parameters.values():
            points *= len(values)
        assert len(space.times_us) == points > 100


def test_the_default_strategy_needs_at_most_half_of_what_random_search_does() -> None:
    ratios = [
        median(open_strategy(Settings().search), place) / median(Random(), place)
        for place in range(len(SPACES))
    ]
    assert statistics.geometric_mean(ratios) <= 0.5


@pytest.mark.parametrize("name", ["greedy", "beam", "evolve", "scatter"])
def test_every_strategy_finds_what_is_nearly_the_best(name: str) -> None:
    assert all(median(open_strategy(name), place) < LIMIT for place in range(len(SPACES)))
