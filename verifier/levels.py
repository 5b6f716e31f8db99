"""How thorough an evaluation is: `fast` steers a search, `strict` backs a reported number."""

from __future__ import annotations

from typing import Literal

from kernelwright.schema import Level, Record

Distribution = Literal[
    "reference",
    "zero_mean",
    "normal",
    "uniform",
    "large",
    "tiny",
    "zeros",
    "constant_rows",
    "extreme",
]
Baseline = Literal["eager", "compile"]


class Effort(Record):
    """What one level does."""

    cases: tuple[tuple[int, Distribution], ...]
    """Correctness: seed and input distribution of each case, per workload."""
    baselines: tuple[Baseline, ...]
    """What the candidate is timed against."""
    buffer_bytes: int
    """Inputs of one round, at most; see `pool`."""
    round_s: float
    """Wanted duration of one timed round."""
    min_rounds: int
    max_rounds: int
    relative_width: float
    """Stop when the 95% interval of every speedup is narrower than this share of it."""
    budget_s: float
    """Timing of one workload ends after this, intervals as wide as they may be."""
    is_thorough: bool
    """Also what takes some tenths of a second: samples of whose code runs, advice on its text."""
    traces_operators: bool
    """torch's, of one call: some compiled modules do not survive that, or are compiled again."""
    workers: int
    """How many workers the candidate is timed in, one after the other."""
    times_new_workers: bool
    """Each is timed beside a new worker of eager's: an old one has other memory, which is worth
    some percent. Else one worker of eager's stays until such a level takes a new one."""
    most_workers: int
    """The same where a speedup is close to 1, so that it takes more to tell which side of it."""
    close_budget_s: float
    """No more workers for that after this, counted from the first one's timing."""
    spot_checks: int
    """Timed calls whose results are compared afterwards, per workload and worker."""
    spot_checks_s: float
    """No more of them after this, but LEAST_SPOT_CHECKS."""
    single_calls: int
    """Single calls at a time, which show whether calls of a round are done together."""
    spot_check_slots: int | None
    """How many sets of a buffer these come from, so few that what is expected of them is kept for
    the next candidate. None: any of them, and what is expected is computed after the fact."""


LEAST_SPOT_CHECKS = 4
OWN: Distribution = "reference"

EFFORTS: dict[Level, Effort] = {
    "fast": Effort(
        cases=((0, OWN), (1, "zero_mean"), (2, "large"), (3, "extreme")),
        baselines=("eager",),
        buffer_bytes=16 * 2**20,
        round_s=0.004,
        min_rounds=8,
        max_rounds=12,
        relative_width=0.25,
        budget_s=1.5,
        is_thorough=False,
        traces_operators=False,
        workers=1,
        times_new_workers=False,
        most_workers=1,
        close_budget_s=0.0,
        spot_checks=4,
        spot_checks_s=0.2,
        single_calls=6,
        spot_check_slots=2,
    ),
    "standard": Effort(
        cases=(
            (0, OWN),
            (1, OWN),
            (2, OWN),
            (3, OWN),
            (4, OWN),
            (5, "zero_mean"),
            (6, "normal"),
            (7, "uniform"),
            (8, "large"),
            (9, "tiny"),
            (10, "zeros"),
            (11, "constant_rows"),
            (12, "extreme"),
        ),
        baselines=("eager", "compile"),
        buffer_bytes=32 * 2**20,
        round_s=0.015,
        min_rounds=12,
        max_rounds=28,
        relative_width=0.03,
        budget_s=0.7,
        is_thorough=True,
        traces_operators=False,
        workers=2,
        times_new_workers=True,
        most_workers=8,
        close_budget_s=20.0,
        spot_checks=4,
        spot_checks_s=0.5,
        single_calls=12,
        spot_check_slots=None,
    ),
    "strict": Effort(
        cases=(
            *((seed, OWN) for seed in range(8)),
            (8, "zero_mean"),
            (9, "zero_mean"),
            (10, "normal"),
            (11, "normal"),
            (12, "uniform"),
            (13, "large"),
            (14, "tiny"),
            (15, "zeros"),
            (16, "constant_rows"),
            (17, "extreme"),
            (18, "extreme"),
        ),
        baselines=("eager", "compile"),
        buffer_bytes=32 * 2**20,
        round_s=0.020,
        min_rounds=15,
        max_rounds=28,
        relative_width=0.02,
        budget_s=2.0,
        is_thorough=True,
        traces_operators=True,
        workers=4,
        times_new_workers=True,
        most_workers=8,
        close_budget_s=20.0,
        spot_checks=24,
        spot_checks_s=4.0,
        single_calls=12,
        spot_check_slots=None,
    ),
}
