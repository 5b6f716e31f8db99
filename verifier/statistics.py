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
# Student's t, 97.5th percentile, by degrees of freedom.
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
    """Median and its percentile-bootstrap 95% interval (Efron 1979), in the samples' unit."""
    values = np.asarray(samples, dtype=np.float64)
    medians = np.median(resampled(values, seed), axis=1)
    return float(np.median(values)), percentile_interval(medians)


def resampled(values: Samples, seed: int) -> Samples:
    """`RESAMPLES` resamples of as many values, one in a row; reproducible by seed."""
    chosen = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return values[chosen]


def percentile_interval(values: Samples) -> Interval:
    """The central 95% of resampled statistics."""
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def across_workers(ratios: Sequence[npt.ArrayLike], seed: int) -> Speedup:
    """One speedup from the paired blocks of several workers: the median of all their ratios.

    Ratios are taken within a round, so that drift cancels. The interval adds two variances: what
    rounds differ by, bootstrapped within each worker, and what workers differ by, which no number
    of rounds brings down. The latter is a weighted mean of what is known of equal workers (a scaled
    inverse chi-squared prior; Gelman et al. 2013, 2.6) and of what their medians differ by here
    beyond what their rounds explain (method of moments; DerSimonian and Laird 1986). It is known as
    well as from PRIOR_WORKERS + count - 1 workers, so its quantile is Student's.

    Args:
        ratios: of every round, by worker.
    """
    count = len(ratios)
    logs = [np.log(np.asarray(own, dtype=np.float64)) for own in ratios]
    center = float(np.median(np.concatenate(logs)))
    again = [resampled(own, seed + number) for number, own in enumerate(logs)]
    low, high = percentile_interval(np.median(np.concatenate(again, axis=1), axis=1))
    medians = np.asarray([np.median(own) for own in logs])
    explained = (count - 1) * float(np.mean([np.median(one, axis=1).var() for one in again]))
    seen = max(0.0, float(np.sum((medians - medians.mean()) ** 2)) - explained)
    freedom = PRIOR_WORKERS + count - 1
    between = (PRIOR_WORKERS * WORKERS_DIFFER**2 + seen) / freedom / count
    below, above = (
        math.hypot(within, STUDENT_95[freedom] * math.sqrt(between))
        for within in (center - low, high - center)
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
