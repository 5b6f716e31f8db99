"""How thorough an evaluation is: `fast` steers a search, `strict` backs a reported number."""

from __future__ import annotations

from typing import Literal

from kernelwright.schema import Level, Record

Distribution = Literal["reference", "zero_mean", "normal", "large", "tiny"]
Baseline = Literal["eager", "compile"]


class Plan(Record):
    """What one level does."""

    cases: tuple[tuple[int, Distribution], ...]
    """Correctness: seed and input distribution of each case, per workload."""
    baselines: tuple[Baseline, ...]
    """What the candidate is timed against."""
    block_s: float
    """Wanted duration of one timed block."""
    min_rounds: int
    max_rounds: int
    relative_width: float
    """Stop when the 95% interval of every speedup is narrower than this share of it."""
    budget_s: float
    """Timing of one workload ends after this, intervals as wide as they may be."""


PLANS: dict[Level, Plan] = {
    "fast": Plan(
        cases=((0, "reference"), (1, "zero_mean"), (2, "large")),
        baselines=("eager",),
        block_s=0.008,
        min_rounds=8,
        max_rounds=16,
        relative_width=0.06,
        budget_s=1.5,
    ),
    "standard": Plan(
        cases=(
            (0, "reference"),
            (1, "reference"),
            (2, "zero_mean"),
            (3, "normal"),
            (4, "large"),
            (5, "tiny"),
        ),
        baselines=("eager", "compile"),
        block_s=0.015,
        min_rounds=12,
        max_rounds=40,
        relative_width=0.03,
        budget_s=4.0,
    ),
    "strict": Plan(
        cases=(
            (0, "reference"),
            (1, "reference"),
            (2, "reference"),
            (3, "zero_mean"),
            (4, "normal"),
            (5, "large"),
            (6, "tiny"),
        ),
        baselines=("eager", "compile"),
        block_s=0.02,
        min_rounds=30,
        max_rounds=80,
        relative_width=0.02,
        budget_s=10.0,
    ),
}
