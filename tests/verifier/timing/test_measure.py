"""Tests of the timed calls: their choice, their inputs, and their spot checks."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from kernelwright.schema import Level, Limits
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference.input_pool import FIRST_SINGLE_CALL
from kernelwright.verifier.reference.seeds import derived_seed
from kernelwright.verifier.reference.workload import Call
from kernelwright.verifier.timing import measure
from kernelwright.verifier.timing.measure import RoundTimer, TimedInstance
from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER
from tests.verifier import kit

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x)
"""
CALLS, ROUNDS, REPEATS = 2, 12, 12
MANY_CALLS = 32


def test_late_rounds_are_compared_as_well_as_early_ones() -> None:
    """Check late rounds too, or a candidate could be right only in the first ones."""
    effort = EFFORTS["fast"]
    with kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference:
        live = reference.prepare(reference.workloads()[0])
        eager = live.baseline("eager")
        assert eager is not None
        side = TimedInstance(eager, is_baseline=True)
        compared: Counter[bool] = Counter()
        for _ in range(REPEATS):
            timer = RoundTimer(
                reference, live, live.prepared, effort, {CANDIDATE: side, EAGER: side}
            )
            timer.warm_up(CALLS)
            timer.time_rounds(CALLS, ROUNDS // 2)
            early = list(map(id, timer.spot_checks))
            assert len(early) == effort.spot_checks
            timer.time_rounds(CALLS, ROUNDS // 2)
            assert len(timer.spot_checks) == effort.spot_checks
            compared.update(id(spot_check) in early for spot_check in timer.spot_checks)
    # In a fair choice of 48, fewer than 8 come from one half once in a million times.
    assert min(compared[True], compared[False]) >= 8


def places(level: Level, repeats: int) -> dict[int, set[int]]:
    """Return the slots of the spot checks in some evaluations, by buffer."""
    found: dict[int, set[int]] = defaultdict(set)
    with kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference:
        live = reference.prepare(reference.workloads()[0])
        eager = live.baseline("eager")
        assert eager is not None
        side = TimedInstance(eager, is_baseline=True)
        for _ in range(repeats):
            timer = RoundTimer(reference, live, live.prepared, EFFORTS[level], {CANDIDATE: side})
            timer.warm_up(MANY_CALLS)
            timer.time_rounds(MANY_CALLS, 1)
            for spot_check in timer.spot_checks:
                found[spot_check.place[0]].add(spot_check.place[1])
    return found


def test_only_fast_looks_at_the_same_calls_inputs_again() -> None:
    """Check that kept expected values limit the slots; a worker can't know which slots they are."""
    # Two of the slots in a full round and two of those in a halved one.
    assert all(len(sets) <= 4 for sets in places("fast", 20).values())
    # 20 draws out of at least 16 hit no more than 4 once in 10^9 times.
    assert any(len(sets) > 4 for sets in places("standard", 20).values())


def test_expected_values_are_kept_by_place_only() -> None:
    with kit.live_reference(kit.task(REFERENCE)) as reference:
        live = reference.prepare(reference.workloads()[0])
        call = Call(live.prepared.example_inputs, 1)
        kept = live.expect(live.prepared, call, place=(1, 0))
        assert live.expect(live.prepared, call, place=(1, 0)) is kept
        assert live.expect(live.prepared, call, place=(1, 1)) is not kept
        assert live.expect(live.prepared, call) is not kept
        after_the_fact = live.expect(live.prepared, call)
        assert live.expect(live.prepared, call) is not after_the_fact


def test_no_two_workers_are_shown_the_same_inputs() -> None:
    with kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference:
        live = reference.prepare(reference.workloads()[0])
        eager = live.baseline("eager")
        assert eager is not None
        side = TimedInstance(eager, is_baseline=True)
        found: list[set[bytes]] = []
        for worker in range(2):
            timer = RoundTimer(
                reference,
                live,
                live.prepared,
                EFFORTS["fast"],
                {CANDIDATE: side, EAGER: side},
                worker,
            )
            timer.warm_up(CALLS)
            timer.single_calls(timer.time_rounds(CALLS, ROUNDS))
            kept = [one.inputs for one in timer.spot_checks if one.inputs is not None]
            found.append({inputs.tensors[0].numpy().tobytes() for inputs in kept})
        assert min(map(len, found)) > EFFORTS["fast"].spot_checks
        assert not found[0] & found[1]


def test_single_calls_do_not_crowd_out_the_spot_checks_of_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "batched", lambda rounds, single_calls: "looks slow")
    with kit.live_reference(kit.task(REFERENCE)) as reference:
        live = reference.prepare(reference.workloads()[0])
        eager = live.baseline("eager")
        assert eager is not None
        side = TimedInstance(eager, is_baseline=True)
        timer = RoundTimer(
            reference, live, live.prepared, EFFORTS["fast"], {CANDIDATE: side, EAGER: side}
        )
        timer.warm_up(CALLS)
        found = timer.single_calls(timer.time_rounds(CALLS, ROUNDS))
    assert len(found) >= measure.MOST_SINGLE_CALLS
    of_singles = [check.place[0] >= FIRST_SINGLE_CALL for check in timer.spot_checks]
    assert of_singles == [True] + [False] * EFFORTS["fast"].spot_checks


SLOW_TO_FREE = """
    import time, weakref

    class ModelNew(nn.Module):
        def forward(self, x):
            y = torch.relu(x)
            weakref.finalize(y, time.sleep, 0.002)
            return y
"""


def test_what_is_done_when_results_are_freed_counts() -> None:
    with (
        kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference,
        kit.worker_with(reference.machine, Limits()) as client,
    ):
        live = reference.prepare(reference.workloads()[0])
        instance = kit.load(client, kit.source(SLOW_TO_FREE))
        side = TimedInstance(instance, is_baseline=False)
        eager = TimedInstance(instance, is_baseline=True)
        timer = RoundTimer(
            reference, live, live.prepared, EFFORTS["fast"], {CANDIDATE: side, EAGER: eager}
        )
        timer.warm_up(CALLS)
        rounds = timer.time_rounds(CALLS, ROUNDS)
        assert min(rounds.judge[CANDIDATE]) > 0.002


def test_seeds_of_inputs_say_nothing_about_each_other() -> None:
    """Check derived seeds: a worker can find the 32 bits that torch uses from its inputs."""
    seeds = [derived_seed(12345, "timed", number, slot) for number in (1, 2) for slot in range(8)]
    steps = {(after - before) % 2**32 for before, after in itertools.pairwise(seeds)}
    assert len(set(seeds)) == len(steps) + 1 == 16
    assert seeds[:8] != [derived_seed(12346, "timed", 1, slot) for slot in range(8)]
