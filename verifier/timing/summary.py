"""What the timed rounds of one workload add up to: times, speedups, and flags that they raise.

A candidate is timed in one worker or in several, each beside a new worker of eager's. A worker's
speedup is the median of its rounds' ratios, a candidate's their weighted mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernelwright.schema import Flag, Speedup, Timing
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER, Rounds, Seconds
from kernelwright.verifier.timing.single_calls import batched
from kernelwright.verifier.timing.statistics import across_workers, bootstrap_median

METHOD = "judge wall clock from wake-up to standstill, alternating rounds of unseen inputs"
CLOCKS_MAY_DIFFER, NOISY_CLOCKS_MAY_DIFFER = 0.10, 0.5
# Per round: what is left of its constant part, which depends on how cold the caches are.
ROUNDS_MAY_DIFFER_S = 500e-6
# Quartiles of one side's rounds further apart than this: something else ran on these cores.
NOISY_QUARTILES = 1.3
# Time per call in half-size rounds over that in full ones, against the same of eager.
NOT_LINEAR = 1.25
LEAST_HALVED = 3
# Speedup in one worker over that in another.
NOT_REPRODUCED = 1.25
# Logarithm of a speedup, and of half its interval.
CLOSE, NARROW = 0.10, 0.02


class Timed(NamedTuple):
    """What is kept of the timing of one workload in one worker."""

    rounds: Rounds
    single_calls: Rounds
    """Calls that were all that their worker had to do; none where rounds are single calls."""
    flags: tuple[Flag, ...]
    """About the machine."""
    checked: int
    """Timed calls whose results were compared."""


class Summary(NamedTuple):
    """What the measurements of one workload add up to."""

    timing: dict[str, Timing]
    speedup: dict[str, Speedup]
    flags: tuple[Flag, ...]
    checked: int
    """Timed calls whose results were compared."""


def wants_more_workers(measured: Sequence[Timed], seed: int) -> bool:
    """Whether a speedup is so near 1, and so vague, that more workers are worth their time.

    Not whether its interval has 1 in it: to go on until it has not would find differences between
    equal candidates.
    """
    ratios = [one.rounds.ratios() for one in measured]
    return any(_is_vague(across_workers([r[name] for r in ratios], seed)) for name in ratios[0])


def _is_vague(speedup: Speedup) -> bool:
    low, high = speedup.ci95
    return abs(math.log(speedup.median)) < CLOSE and math.log(high / low) > 2 * NARROW


def summarize(measured: Sequence[Timed], seed: int) -> Summary:
    """Times, speedups and flags of one workload, from one worker or from several."""
    rounds = [one.rounds for one in measured]
    timing = {name: _timing(rounds, name, seed) for name in rounds[0].judge}
    about_machine = [flag for one in measured for flag in one.flags][:1]
    noise = [*about_machine, *_noise_flags(timing)]
    ratios = [one.ratios() for one in rounds]
    flags = [*noise, *_clock_flags(timing, bool(noise))]
    flags += _single_call_flags(measured)
    if not noise:  # times that mean nothing say nothing about the candidate
        flags += [*_linear_flags(rounds), *_worker_flags(ratios)]
    together = {name: across_workers([one[name] for one in ratios], seed) for name in ratios[0]}
    return Summary(timing, together, tuple(flags), sum(one.checked for one in measured))


def _timing(rounds: Sequence[Rounds], name: str, seed: int) -> Timing:
    judge = np.concatenate([one.per_call(name).judge for one in rounds]) * 1e6
    worker = np.concatenate([one.per_call(name).worker for one in rounds]) * 1e6
    median, interval = bootstrap_median(judge, seed)
    return Timing(
        median_us=median,
        ci95_us=interval,
        samples_us=tuple(round(float(value), 4) for value in judge),
        worker_median_us=float(np.median(worker)),
        calls_per_block=rounds[0].calls,
        method=METHOD,
    )


def _noise_flags(timing: Mapping[str, Timing]) -> Iterator[Flag]:
    for name, side in timing.items():
        low, high = np.percentile(side.samples_us, [25, 75])
        if high > NOISY_QUARTILES * low:
            evidence = f"the middle half of {name}'s rounds spans {low:.1f} to {high:.1f} us"
            yield flag("noisy-machine", evidence)


def _clock_flags(timing: Mapping[str, Timing], is_noisy: bool) -> Iterator[Flag]:
    """Both clocks see the same rounds, and the same noise but for that of waking up."""
    candidate = timing[CANDIDATE]
    own, judge = candidate.worker_median_us or 0.0, candidate.median_us
    constant = ROUNDS_MAY_DIFFER_S * 1e6 / candidate.calls_per_block
    share = NOISY_CLOCKS_MAY_DIFFER if is_noisy else CLOCKS_MAY_DIFFER
    if abs(own - judge) > share * judge + constant:
        yield flag("clocks-disagree", f"judge {judge:.1f} us, worker {own:.1f} us per call")


def _linear_flags(rounds: Sequence[Rounds]) -> Iterator[Flag]:
    """Time must be proportional to calls: work moved from call to call shows here."""
    halved = [half for one in rounds for half in one.halved]
    if min(halved.count(True), halved.count(False)) < LEAST_HALVED:
        return
    own, eager = (_half_over_full(rounds, name) for name in (CANDIDATE, EAGER))
    short_s = rounds[0].iterations_in(True) * float(np.median(rounds[0].per_call(CANDIDATE).judge))
    limit = NOT_LINEAR + ROUNDS_MAY_DIFFER_S / short_s
    if not 1 / limit < own / eager < limit:
        evidence = f"a call takes {own:.2f} times as long in rounds of half as many calls"
        yield flag("not-linear", f"{evidence} (eager: {eager:.2f})")


def _single_call_flags(measured: Sequence[Timed]) -> Iterator[Flag]:
    """Calls that are done together show where there is only one."""
    found = [batched(one.rounds, one.single_calls) for one in measured]
    if found and all(found):
        yield flag("batched-calls", str(found[0]))


def _half_over_full(rounds: Sequence[Rounds], name: str) -> float:
    times = np.concatenate([one.per_call(name).judge for one in rounds])
    halved = np.concatenate([one.halved for one in rounds])
    return float(np.median(times[halved]) / np.median(times[~halved]))


def _worker_flags(ratios: Sequence[Mapping[str, Seconds]]) -> Iterator[Flag]:
    """Workers of one candidate must agree, but for the luck of where their memory lies."""
    medians = [float(np.median(one[EAGER])) for one in ratios]
    if max(medians) > NOT_REPRODUCED * min(medians):
        words = " and ".join(f"{median:.2f}x" for median in medians)
        yield flag("not-reproduced", f"in {len(medians)} workers of its own: {words}")
