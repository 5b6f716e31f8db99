"""The levels of an evaluation: `fast` steers a search, `strict` backs a reported number."""

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
    """The effort of one level: how thoroughly it compares and times."""

    cases: tuple[tuple[int, Distribution], ...]
    """Correctness: seed and input distribution of each case, per workload."""
    baselines: tuple[Baseline, ...]
    """Baselines that the candidate is timed against."""
    buffer_bytes: int
    """Most bytes of inputs or results in one round; see `InputPool`."""
    round_s: float
    """Wanted duration of one timed round."""
    min_rounds: int
    max_rounds: int
    relative_width: float
    """Timing stops when the 95% interval of every speedup is narrower than this share of it."""
    budget_s: float
    """Timing of one workload ends after this, however wide the intervals are."""
    is_thorough: bool
    """Also do what takes longer and decides little: give advice on the source, and compile for
    every GPU architecture."""
    samples_code: bool
    """Look for the hot lines of C++ that runs, and read a GPU's hardware counters."""
    sanitizes: bool
    """Run machine code that the candidate brings under sanitizers."""
    traces_operators: bool
    """Trace torch's operators in one call. Some compiled modules fail under that, or recompile."""
    workers: int
    """How many workers the candidate is timed in, one after the other."""
    times_new_workers: bool
    """Time each beside a new worker of eager's, as an old one has other memory, which is worth some
    percent. Otherwise one worker of eager's is kept until a level with this set replaces it."""
    most_workers: int
    """Most workers, for speedups so near 1 that it takes more to tell on which side they are."""
    close_budget_s: float
    """No more such workers are started after this, counted from the first worker's timing."""
    spot_checks: int
    """Timed calls that are spot-checked (their results are compared), per workload and worker."""
    spot_checks_s: float
    """No more results are compared after this, but at least LEAST_SPOT_CHECKS are."""
    single_calls: int
    """Single calls at a time, which show whether the calls of a round are computed together."""
    uses_s: float
    """Seconds for the candidate's uses, which are tried in the order of their importance. 0: none
    is tried."""
    spot_check_slots: int | None
    """How many sets of a buffer the spot checks come from: so few that their expected values are
    kept for the next candidate. None: any set, with expected values computed afterwards."""


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
        samples_code=False,
        sanitizes=False,
        traces_operators=False,
        workers=1,
        times_new_workers=False,
        most_workers=1,
        close_budget_s=0.0,
        spot_checks=4,
        spot_checks_s=0.2,
        single_calls=6,
        uses_s=0.0,
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
        samples_code=True,
        sanitizes=False,
        traces_operators=False,
        workers=2,
        times_new_workers=True,
        most_workers=8,
        close_budget_s=20.0,
        spot_checks=4,
        spot_checks_s=0.5,
        single_calls=12,
        uses_s=4.0,
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
        samples_code=True,
        sanitizes=True,
        traces_operators=True,
        workers=4,
        times_new_workers=True,
        most_workers=8,
        close_budget_s=20.0,
        spot_checks=24,
        spot_checks_s=4.0,
        single_calls=12,
        uses_s=25.0,
        spot_check_slots=None,
    ),
}
