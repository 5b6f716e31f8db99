"""Spot checks of timed calls: their results are compared as they lay in memory after the clock."""

from __future__ import annotations

import random
import time
from typing import NamedTuple

from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.correctness.rules import must_be_right
from kernelwright.verifier.levels import LEAST_SPOT_CHECKS, Distribution, Effort
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.workload import Call, Case
from kernelwright.verifier.worker.tensor_tree import TensorTree


class SpotCheck(NamedTuple):
    """A timed call of the candidate with a compared result: its inputs and that result."""

    place: tuple[int, int]
    """Number of the pool's buffer with the inputs, and their slot in it."""
    inputs: TensorTree | None
    """None where they are so large that they are made again."""
    seed: int
    result: TensorTree
    earlier: tuple[int, ...]
    """Slots of the calls before it in its round."""


def most_spot_checks(live: LiveWorkload, effort: Effort) -> int:
    """Return how many timed calls are spot-checked: fewer where their results are large."""
    fitting = live.memory.nbytes // 2 // max(1, live.prepared.call_bytes)
    return min(effort.spot_checks, max(LEAST_SPOT_CHECKS, fitting))


def keeps_inputs(live: LiveWorkload, effort: Effort) -> bool:
    """Return whether spot checks keep their inputs: all take at most a quarter of the budget."""
    together = (most_spot_checks(live, effort) + 1) * live.prepared.example_inputs.nbytes
    return together <= live.memory.nbytes // 4


def compare_spot_checks(check: WorkloadCheck, spot_checks: list[SpotCheck], effort: Effort) -> int:
    """Compare results of timed calls, as they lay in memory when the clock had stopped.

    Returns:
        Number of compared results, which are taken from the list.

    Raises:
        Wrong: one of them is wrong.
    """
    start, number = time.monotonic(), 0
    while spot_checks:
        if number >= LEAST_SPOT_CHECKS and time.monotonic() - start > effort.spot_checks_s:
            return number
        spot_check = spot_checks.pop(0)
        number += 1
        earlier: tuple[Call, ...] = ()
        if check.prepared.traits.depends_on_history:
            earlier = _earlier(check, spot_check, effort)
        place = None if effort.spot_check_slots is None or earlier else spot_check.place
        inputs = spot_check.inputs or _made_again(check, spot_check, effort)
        calls = *earlier, Call(inputs, spot_check.seed)
        expected = check.live.expect(check.prepared, *calls, place=place)
        case = Case(spot_check.seed, "reference", inputs, expected, earlier)
        must_be_right(check.checker.check(case, spot_check.result), "a timed call")
        del expected, case, calls, inputs  # before the next one is made
    return number


def _made_again(check: WorkloadCheck, spot_check: SpotCheck, effort: Effort) -> TensorTree:
    number, slot = spot_check.place
    return check.live.input_pool(effort.buffer_bytes).buffer(number, slot + 1).sets[slot]


def _earlier(check: WorkloadCheck, spot_check: SpotCheck, effort: Effort) -> tuple[Call, ...]:
    """Return the calls before a spot check in its round; make their buffer anew if not kept."""
    number, _slot = spot_check.place
    pool, slots = check.live.input_pool(effort.buffer_bytes), spot_check.earlier
    sets = pool.buffer(number, 1 + max(slots, default=0)).sets
    seeds = pool.call_seeds(number, slots) or [spot_check.seed] * len(slots)
    return tuple(Call(sets[s], seed) for s, seed in zip(slots, seeds, strict=True))


def check_fresh(check: WorkloadCheck, effort: Effort) -> None:
    """Check one more call on inputs that no worker has seen, with the state set back.

    A new worker is also checked on inputs of a random case's distribution: it has not had those
    yet, and could have guessed that it was only timed.

    Raises:
        Wrong: the result is wrong.
    """
    distributions: list[Distribution] = ["reference"]
    if effort.times_new_workers:
        others = [case for case in effort.cases if case[1] != "reference"]
        chosen = random.SystemRandom().choice(others)
        distributions.append(check.live.distribution(check.prepared, *chosen))
    for distribution in distributions:
        case = check.live.fresh_case(check.prepared, distribution)
        for result in check.results([case]):
            must_be_right(check.checker.check(case, result), "wrong after being timed")
        del case  # before the next one is made
