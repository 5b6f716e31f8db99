"""Medians and bootstrap intervals of timings and of their ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from kernelwright.schema import Interval, Speedup

RESAMPLES = 2000
CONFIDENCE = 0.95
# Two workers with the same code lay out their memory differently, and one is faster for as long as
# they live. WORKERS_DIFFER: standard deviation of the logarithm of their ratio, measured with the
# reference against itself (benchmarks/verdict.py, part `fidelity`). PRIOR_WORKERS: as evidence it
# counts as much as so many workers of an evaluation.
WORKERS_DIFFER, PRIOR_WORKERS = 0.015, 4
# 97.5th percentiles: of the normal distribution, and of Student's t by degrees of freedom.
NORMAL_95 = 1.960
STUDENT_95 = {
    4: 2.776,
    5: 2.571,
    6: 2.447,
    7: 2.365,
    8: 2.306,
    9: 2.262,
    10: 2.228,
    11: 2.201,
}

Samples = npt.NDArray[np.float64]


def bootstrap_median(samples: npt.ArrayLike, seed: int) -> tuple[float, Interval]:
    """Return median and percentile-bootstrap 95% interval (Efron 1979), in the samples' unit."""
    values = np.asarray(samples, dtype=np.float64)
    medians = np.median(resampled(values, seed), axis=1)
    return float(np.median(values)), percentile_interval(medians)


def resampled(values: Samples, seed: int) -> Samples:
    """Return `RESAMPLES` resamples of as many values, one a row; reproducible by seed."""
    chosen = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return values[chosen]


def percentile_interval(values: Samples) -> Interval:
    """Return the ends of the central 95% of resampled statistics."""
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def across_workers(ratios: Sequence[npt.ArrayLike], seed: int) -> Speedup:
    """Return the speedup from several workers' rounds: a weighted mean of their median ratios.

    Ratios are taken within a round, so that drift cancels. A worker's median has two errors: the
    spread of its rounds, which is bootstrapped, and the worker's own luck, which more rounds do not
    reduce but more workers do. So workers are averaged, in a random-effects model (Hedges and Vevea
    1998), with the inverse of the sum of both variances as weight. The variance of luck is a
    weighted mean of what is known of equal workers (a scaled inverse chi-squared prior; Gelman et
    al. 2013, 2.6) and of what medians differ by here beyond what rounds explain (method of moments;
    DerSimonian and Laird 1986). It has PRIOR_WORKERS + count - 1 degrees of freedom, so its
    quantile is Student's.

    Args:
        ratios: ratios of every round, by worker.
    """
    logs = [np.log(np.asarray(own, dtype=np.float64)) for own in ratios]
    again = [resampled(own, seed + number) for number, own in enumerate(logs)]
    medians = np.asarray([np.median(own) for own in logs])
    within = np.asarray([np.median(one, axis=1).var() for one in again])
    freedom = PRIOR_WORKERS + len(logs) - 1
    between = _between(medians, within, freedom)
    weights = 1 / (between + within)
    weights /= weights.sum()
    center = float(weights @ medians)
    luck = STUDENT_95[freedom] * math.sqrt(between * float(weights @ weights))
    half = math.hypot(NORMAL_95 * math.sqrt(float(weights**2 @ within)), luck)
    return Speedup(median=math.exp(center), ci95=(math.exp(center - half), math.exp(center + half)))


def _between(medians: Samples, within: Samples, freedom: int) -> float:
    """Estimate the variance of workers' luck."""
    explained = (len(medians) - 1) * float(within.mean())
    seen = max(0.0, float(np.sum((medians - medians.mean()) ** 2)) - explained)
    return (PRIOR_WORKERS * WORKERS_DIFFER**2 + seen) / freedom


def combine(speedups: Mapping[str, Speedup]) -> Speedup:
    """Return the geometric mean over workloads.

    The interval is that of a sum of independent logarithms: half-widths add in quadrature.
    """
    logs = [math.log(speedup.median) for speedup in speedups.values()]
    count = len(logs)
    center = sum(logs) / count
    below = [math.log(s.median) - math.log(s.ci95[0]) for s in speedups.values()]
    above = [math.log(s.ci95[1]) - math.log(s.median) for s in speedups.values()]
    low = center - math.hypot(*below) / count
    high = center + math.hypot(*above) / count
    return Speedup(median=math.exp(center), ci95=(math.exp(low), math.exp(high)))


def divided(speedup: Speedup, by: Speedup) -> Speedup:
    """Return the quotient of two speedups over the same baseline, measured apart.

    It is that over what the second one is a speedup of: half-widths of logarithms add in
    quadrature.
    """
    center = math.log(speedup.median / by.median)
    low = math.hypot(math.log(speedup.median / speedup.ci95[0]), math.log(by.ci95[1] / by.median))
    high = math.hypot(math.log(speedup.ci95[1] / speedup.median), math.log(by.median / by.ci95[0]))
    return Speedup(median=math.exp(center), ci95=(math.exp(center - low), math.exp(center + high)))
