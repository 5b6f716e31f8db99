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
# they live. Measured by benchmarks/verdict.py, part `fidelity`: the reference against itself.
WORKERS_DIFFER = 1.01

Samples = npt.NDArray[np.float64]


def bootstrap_median(samples: Sequence[float], seed: int) -> tuple[float, Interval]:
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


def ratio_interval(baseline: Sequence[float], candidate: Sequence[float], seed: int) -> Speedup:
    """Speedup from paired blocks: the median of per-round ratios, so that drift cancels."""
    ratios = np.asarray(baseline, dtype=np.float64) / np.asarray(candidate, dtype=np.float64)
    median, interval = bootstrap_median(ratios.tolist(), seed)
    return Speedup(median=median, ci95=interval)


def widened(speedup: Speedup) -> Speedup:
    """The interval with what equal workers differ by, which no number of rounds brings down."""
    low, high = speedup.ci95
    return Speedup(median=speedup.median, ci95=(low / WORKERS_DIFFER, high * WORKERS_DIFFER))


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
