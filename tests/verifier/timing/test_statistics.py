"""Tests that intervals hold what they promise, on synthetic timings with fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.schema import Speedup
from kernelwright.verifier.timing.statistics import (
    STUDENT_95,
    WORKERS_DIFFER,
    across_workers,
    bootstrap_median,
    combine,
)

ROUNDS, TRIALS, SEED = 24, 150, 7
times = st.lists(st.floats(1e-7, 1e3), min_size=2, max_size=40)


def test_the_interval_holds_the_true_median_most_of_the_time() -> None:
    held = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        low, high = bootstrap_median(list(10 * np.exp(rng.standard_normal(ROUNDS))), trial)[1]
        held += low <= 10 <= high
    assert held / TRIALS > 0.88


@settings(max_examples=40, deadline=None)
@given(times, st.integers(0, 99))
def test_intervals_surround_the_median_and_repeat(samples: list[float], seed: int) -> None:
    median, (low, high) = bootstrap_median(samples, seed)
    assert min(samples) <= low <= high <= max(samples)
    assert low <= median <= high
    assert bootstrap_median(samples, seed) == (median, (low, high))


def worker(seed: int, median: float = 1.0, width: float = 0.02) -> list[float]:
    """Draw the ratios of a worker's rounds; in some of these one side was disturbed."""
    rng = np.random.default_rng(seed)
    ratios = median * np.exp(width * rng.standard_normal(ROUNDS))
    ratios *= rng.choice([1 / 3, 1, 3], ROUNDS, p=[0.05, 0.9, 0.05])
    return list(ratios)


def width(speedup: Speedup) -> float:
    return math.log(speedup.ci95[1] / speedup.ci95[0])


def test_equal_workers_are_trusted_more_than_one() -> None:
    one = across_workers([worker(1, 1.5)], SEED)
    four = across_workers([worker(seed, 1.5) for seed in range(4)], SEED)
    assert one.median == pytest.approx(1.5, rel=0.02)
    assert four.median == pytest.approx(1.5, rel=0.01)
    assert width(four) < width(one)
    # One worker says nothing about others, so the prior on equal workers decides.
    assert width(one) > 2 * STUDENT_95[4] * WORKERS_DIFFER


def test_workers_that_differ_widen_the_interval() -> None:
    equal = across_workers([worker(seed, 1.1) for seed in range(4)], SEED)
    medians = (1.0, 1.1, 1.1, 1.2)
    apart = across_workers([worker(seed, own) for seed, own in enumerate(medians)], SEED)
    assert equal.is_faster
    assert apart.ci95[0] < equal.ci95[0]
    assert width(apart) > 1.5 * width(equal)


def test_noise_within_workers_is_not_taken_for_a_difference_between_them() -> None:
    quiet = across_workers([worker(seed) for seed in range(4)], SEED)
    noisy = across_workers([worker(seed, width=0.10) for seed in range(4)], SEED)
    rounds = 1.2533 * 0.10 / math.sqrt(4 * ROUNDS)  # standard error of a normal sample's median
    assert width(noisy) < 1.5 * 2 * STUDENT_95[7] * math.hypot(rounds, WORKERS_DIFFER / 2)
    assert width(quiet) < width(noisy)


def test_one_disturbed_worker_does_not_spoil_the_others() -> None:
    others = [worker(seed) for seed in range(3)]
    speedup = across_workers([*others, worker(9, width=0.5)], SEED)
    assert width(speedup) < 2 * width(across_workers([*others, worker(9)], SEED))


@pytest.mark.parametrize("noise", [0.001, 0.02, 0.08])
def test_equal_candidates_are_seldom_called_faster(noise: float) -> None:
    wins, rng = 0, np.random.default_rng(3)
    for trial in range(2 * TRIALS):
        lucky = np.exp(WORKERS_DIFFER * rng.standard_normal(4))
        ratios = [worker(trial * 4 + at, own, noise) for at, own in enumerate(lucky)]
        wins += across_workers(ratios, trial).is_faster
    assert wins / (2 * TRIALS) < 0.04


@settings(max_examples=40, deadline=None)
@given(st.floats(1.2, 100), st.integers(0, 99))
def test_a_faster_candidate_has_a_larger_speedup(factor: float, seed: int) -> None:
    one = across_workers([worker(seed)], seed)
    other = across_workers([worker(seed, factor)], seed)
    assert other.is_faster
    assert other.median == pytest.approx(factor * one.median)
    assert width(other) == pytest.approx(width(one))


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
