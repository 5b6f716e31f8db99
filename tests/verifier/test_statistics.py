"""Intervals hold what they promise, on synthetic timings with fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.schema import Speedup
from kernelwright.verifier.statistics import (
    NORMAL_95,
    WORKERS_DIFFER,
    across_workers,
    bootstrap_median,
    combine,
    ratio_interval,
)

ROUNDS, TRIALS = 24, 150
WORKERS_DIFFER_AT_95 = math.exp(NORMAL_95 * WORKERS_DIFFER)
times = st.lists(st.floats(1e-7, 1e3), min_size=2, max_size=40)


def noisy(rng: np.random.Generator, median: float) -> list[float]:
    """Blocks as they look here: skewed, with a few that were disturbed."""
    blocks = median * np.exp(0.02 * rng.standard_normal(ROUNDS))
    blocks[rng.random(ROUNDS) < 0.05] *= 3
    return list(blocks)


def test_the_interval_holds_the_true_median_most_of_the_time() -> None:
    held = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        low, high = bootstrap_median(list(10 * np.exp(rng.standard_normal(ROUNDS))), trial)[1]
        held += low <= 10 <= high
    assert held / TRIALS > 0.88


def test_equal_sides_are_seldom_called_faster() -> None:
    wins = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(1000 + trial)
        wins += ratio_interval(noisy(rng, 5.0), noisy(rng, 5.0), trial).is_faster
    assert wins / TRIALS < 0.08


def test_drift_that_both_sides_share_cancels() -> None:
    rng = np.random.default_rng(5)
    drift = np.linspace(1, 4, ROUNDS)
    speedup = ratio_interval(list(2 * drift), list(drift * np.exp(0.01 * rng.random(ROUNDS))), 1)
    assert 1.9 < speedup.ci95[0] < speedup.ci95[1] < 2.05


@settings(max_examples=40, deadline=None)
@given(times, st.integers(0, 99))
def test_intervals_surround_the_median_and_repeat(samples: list[float], seed: int) -> None:
    median, (low, high) = bootstrap_median(samples, seed)
    assert min(samples) <= low <= high <= max(samples)
    assert low <= median <= high
    assert bootstrap_median(samples, seed) == (median, (low, high))


@settings(max_examples=40, deadline=None)
@given(times, st.floats(1.01, 100), st.integers(0, 99))
def test_a_faster_candidate_has_a_larger_speedup(
    samples: list[float], factor: float, seed: int
) -> None:
    faster = [sample / factor for sample in samples]
    one, other = ratio_interval(samples, samples, seed), ratio_interval(samples, faster, seed)
    assert one == Speedup(median=1.0, ci95=(1.0, 1.0))
    assert not one.is_faster
    assert other.is_faster
    assert other.median == pytest.approx(factor)


def worker(median: float, width: float = 0.01) -> Speedup:
    return Speedup(median=median, ci95=(median / (1 + width), median * (1 + width)))


def test_equal_workers_are_trusted_more_than_one() -> None:
    one, four = across_workers([worker(1.5)]), across_workers([worker(1.5)] * 4)
    assert one.median == pytest.approx(1.5) == four.median
    assert one.ci95[0] < four.ci95[0] < 1.5 < four.ci95[1] < one.ci95[1]
    # One worker says nothing about others: what is known of equal ones decides.
    assert one.ci95[0] < 1.5 / WORKERS_DIFFER_AT_95


def test_workers_that_differ_widen_the_interval() -> None:
    equal = across_workers([worker(1.1)] * 4)
    apart = across_workers([worker(median) for median in (1.0, 1.1, 1.1, 1.2)])
    assert equal.is_faster
    assert apart.ci95[0] < equal.ci95[0]
    assert math.log(apart.ci95[1] / apart.ci95[0]) > 1.5 * math.log(equal.ci95[1] / equal.ci95[0])


def test_workers_with_luck_are_seldom_called_faster() -> None:
    wins, rng = 0, np.random.default_rng(3)
    for _trial in range(2000):
        lucky = np.exp(WORKERS_DIFFER * rng.standard_normal(2))
        wins += across_workers([worker(float(median), 1e-6) for median in lucky]).is_faster
    assert wins / 2000 < 0.03


def test_workloads_are_combined_by_geometric_mean() -> None:
    one = Speedup(median=2.0, ci95=(1.6, 2.5))
    other = Speedup(median=8.0, ci95=(7.0, 9.0))
    both = combine({"a": one, "b": other})
    assert both.median == pytest.approx(4.0)
    assert combine({"a": one}).ci95 == pytest.approx(one.ci95)
    width, widest = math.log(both.ci95[1] / both.ci95[0]), math.log(2.5 / 1.6)
    assert 0 < width < widest
    assert both == combine({"b": other, "a": one})
    slow = Speedup(median=0.5, ci95=(0.1, 2.5))
    assert not combine({"a": slow, "b": Speedup(median=2.1, ci95=(2.0, 2.2))}).is_faster
