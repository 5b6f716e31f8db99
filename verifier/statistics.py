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
# they live: standard deviation of the logarithm of their ratio, and as how many workers' worth of
# evidence that counts beside what an evaluation's own workers show. Measured: the reference against
# itself, benchmarks/verdict.py, part `fidelity`.
WORKERS_DIFFER, PRIOR_WORKERS = 0.015, 4
NORMAL_95 = 1.96

Samples = npt.NDArray[np.float64]


def bootstrap_median(samples: npt.ArrayLike, seed: int) -> tuple[float, Interval]:
    """Median and its percentile-bootstrap 95% interval (Efron 1979), in the samples' unit."""
    values = np.asarray(samples, dtype=np.float64)
    medians = resampled_medians(values, seed)
    return float(np.median(values)), percentile_interval(medians)


def resampled_medians(values: Samples, seed: int) -> Samples:
    """The medians of `RESAMPLES` resamples, reproducible by seed."""
    chosen = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return np.asarray(np.median(values[chosen], axis=1), dtype=np.float64)


def percentile_interval(values: Samples) -> Interval:
    """The central 95% of resampled statistics."""
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def ratio_interval(baseline: npt.ArrayLike, candidate: npt.ArrayLike, seed: int) -> Speedup:
    """Speedup from paired blocks: the median of per-round ratios, so that drift cancels."""
    ratios = np.asarray(baseline, dtype=np.float64) / np.asarray(candidate, dtype=np.float64)
    median, interval = bootstrap_median(ratios, seed)
    return Speedup(median=median, ci95=interval)


def across_workers(speedups: Sequence[Speedup]) -> Speedup:
    """One speedup from several workers of a candidate: their median.

    The interval adds two variances: what a worker's rounds differ by, and what workers differ by,
    which no number of rounds brings down. The latter is a weighted mean of what was seen here and
    what is known of equal workers (a scaled inverse chi-squared prior; Gelman et al. 2013, 2.6).
    """
    count = len(speedups)
    logs = np.log([speedup.median for speedup in speedups])
    center = float(np.median(logs))
    squares = PRIOR_WORKERS * WORKERS_DIFFER**2 + float(np.sum((logs - logs.mean()) ** 2))
    between = NORMAL_95**2 * squares / (PRIOR_WORKERS + count - 1)
    lows, highs = np.log([speedup.ci95 for speedup in speedups]).T
    below, above = (
        math.sqrt((float(np.mean(within**2)) + between) / count)
        for within in (logs - lows, highs - logs)
    )
    return Speedup(
        median=math.exp(center), ci95=(math.exp(center - below), math.exp(center + above))
    )


def combine(speedups: Mapping[str, Speedup]) -> Speedup:
    """Geometric mean over workloads.

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
