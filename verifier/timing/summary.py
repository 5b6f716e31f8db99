"""The summary of one workload's timed rounds: times, speedups, and the flags that they raise.

A candidate is timed in one worker or in several, each beside a new worker of eager's. A worker's
speedup is the median of its rounds' ratios; a candidate's is the weighted mean of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernelwright.schema import Flag, Speedup, Timing
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.timing.rounds import CANDIDATE, COMPILE, EAGER, Rounds, Seconds, Timed
from kernelwright.verifier.timing.single_calls import batched
from kernelwright.verifier.timing.statistics import across_workers, bootstrap_median, divided

METHOD = "judge wall clock from wake-up to standstill, alternating rounds of unseen inputs"
CLOCKS_MAY_DIFFER, NOISY_CLOCKS_MAY_DIFFER = 0.10, 0.5
# Seconds of a round's constant part that may remain, as it depends on how cold the caches are.
ROUNDS_MAY_DIFFER_S = 500e-6
# If the quartiles of one side's rounds lie further apart, something else ran on these cores.
NOISY_QUARTILES = 1.3
# Time per call in halved rounds over that in full ones, divided by the same ratio of eager.
NOT_LINEAR = 1.25
LEAST_HALVED = 3
# Speedup in one worker over that in another.
NOT_REPRODUCED = 1.25
# Logarithm of a speedup, and of half its interval.
CLOSE, NARROW = 0.10, 0.02


class Summary(NamedTuple):
    """The times, speedups and flags of one workload, over all workers."""

    timing: dict[str, Timing]
    speedup: dict[str, Speedup]
    flags: tuple[Flag, ...]
    checked: int
    """Number of timed calls with a compared result."""
    compile_speedup: Speedup | None
    """Speedup of torch.compile over eager; None where it was not timed, or the machine was busy."""


def wants_more_workers(measured: Sequence[Timed], seed: int) -> bool:
    """Return whether a speedup is so near 1, and so vague, that more workers are worth their time.

    The question is not whether the interval contains 1: timing on until it does not would find
    differences between equal candidates.
    """
    ratios = [one.rounds.ratios() for one in measured]
    return any(_is_vague(across_workers([r[name] for r in ratios], seed)) for name in ratios[0])


def _is_vague(speedup: Speedup) -> bool:
    low, high = speedup.ci95
    return abs(math.log(speedup.median)) < CLOSE and math.log(high / low) > 2 * NARROW


def summarize(measured: Sequence[Timed], seed: int) -> Summary:
    """Return times, speedups and flags of one workload, from one worker or from several."""
    rounds = [one.rounds for one in measured]
    timing = {name: _timing(rounds, name, seed) for name in rounds[0].judge}
    about_machine = [flag for one in measured for flag in one.flags][:1]
    noise = [*about_machine, *_noise_flags(timing)]
    ratios = [one.ratios() for one in rounds]
    flags = [*noise, *_clock_flags(timing, bool(noise))]
    flags += _single_call_flags(measured)
    if not noise:  # noisy times say nothing about the candidate
        flags += [*_linear_flags(rounds), *_worker_flags(ratios)]
    together = {name: across_workers([one[name] for one in ratios], seed) for name in ratios[0]}
    compiled = [found for one in rounds if (found := one.compile_ratios()) is not None]
    of_compile = across_workers(compiled, seed) if compiled and not about_machine else None
    checked = sum(one.checked for one in measured)
    return Summary(timing, together, tuple(flags), checked, of_compile)


def with_known_compile(summary: Summary, known: Speedup | None) -> Summary:
    """Return the summary with a speedup over torch.compile by its known speedup over eager."""
    if known is None or COMPILE in summary.speedup:
        return summary
    over_compile = divided(summary.speedup[EAGER], known)
    return summary._replace(speedup={**summary.speedup, COMPILE: over_compile})


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
    """Flag a worker's clock that disagrees with the judge's: both saw the same rounds.

    Only the noise of waking up differs between them.
    """
    candidate = timing[CANDIDATE]
    own, judge = candidate.worker_median_us, candidate.median_us
    constant = ROUNDS_MAY_DIFFER_S * 1e6 / candidate.calls_per_block
    share = NOISY_CLOCKS_MAY_DIFFER if is_noisy else CLOCKS_MAY_DIFFER
    assert own is not None, "every round has both clocks"
    if abs(own - judge) > share * judge + constant:
        yield flag("clocks-disagree", f"judge {judge:.1f} us, worker {own:.1f} us per call")


def _linear_flags(rounds: Sequence[Rounds]) -> Iterator[Flag]:
    """Flag times that are not proportional to calls, as when work moves from call to call."""
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
    """Flag calls that are computed together, which single calls show."""
    found = [batched(one.rounds, one.single_calls) for one in measured]
    if found and all(found):
        yield flag("batched-calls", str(found[0]))


def _half_over_full(rounds: Sequence[Rounds], name: str) -> float:
    times = np.concatenate([one.per_call(name).judge for one in rounds])
    halved = np.concatenate([one.halved for one in rounds])
    return float(np.median(times[halved]) / np.median(times[~halved]))


def _worker_flags(ratios: Sequence[Mapping[str, Seconds]]) -> Iterator[Flag]:
    """Flag workers of one candidate that differ by more than the luck of where memory lies."""
    medians = [float(np.median(one[EAGER])) for one in ratios]
    if max(medians) > NOT_REPRODUCED * min(medians):
        words = " and ".join(f"{median:.2f}x" for median in medians)
        yield flag("not-reproduced", f"in {len(medians)} workers of its own: {words}")
