"""Which of the timed calls are compared afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict

from kernelwright.schema import Level, Limits
from kernelwright.verifier.bench import Bench, Side
from kernelwright.verifier.levels import PLANS
from kernelwright.verifier.rounds import CANDIDATE, EAGER
from tests.verifier import kit

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x)
"""
CALLS, ROUNDS, REPEATS = 2, 12, 12
MANY_CALLS = 32


def test_late_rounds_are_compared_as_well_as_early_ones() -> None:
    """Else a candidate could be right only in the first blocks."""
    plan = PLANS["fast"]
    with kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference:
        prepared = reference.prepare(reference.workloads()[0])
        eager = reference.baseline(prepared, "eager")
        assert eager is not None
        side = Side(eager, prepared.workload.name, is_baseline=True)
        compared: Counter[bool] = Counter()
        for _ in range(REPEATS):
            bench = Bench(reference, prepared, plan, {CANDIDATE: side, EAGER: side})
            bench.warm_up(CALLS)
            bench.window(CALLS, ROUNDS // 2)
            early = list(map(id, bench.picks))
            assert len(early) == plan.checks
            bench.window(CALLS, ROUNDS // 2)
            assert len(bench.picks) == plan.checks
            compared.update(id(pick) in early for pick in bench.picks)
    # Of a fair choice of 48, fewer than 8 from one half come once in a million times.
    assert min(compared[True], compared[False]) >= 8


def places(level: Level, repeats: int) -> dict[int, set[int]]:
    """Sets that are looked at in some evaluations, by image."""
    found: dict[int, set[int]] = defaultdict(set)
    with kit.live_reference(kit.task(REFERENCE, Limits(memory_bytes=2**30))) as reference:
        prepared = reference.prepare(reference.workloads()[0])
        eager = reference.baseline(prepared, "eager")
        assert eager is not None
        side = Side(eager, prepared.workload.name, is_baseline=True)
        for _ in range(repeats):
            bench = Bench(reference, prepared, PLANS[level], {CANDIDATE: side})
            bench.warm_up(MANY_CALLS)
            bench.window(MANY_CALLS, 1)
            for pick in bench.picks:
                found[pick.place[0]].add(pick.place[1])
    return found


def test_only_fast_looks_at_the_same_calls_inputs_again() -> None:
    """What is expected of them is kept; a worker can't know which calls that are."""
    # Two of those in a whole block and two of those in half of one.
    assert all(len(sets) <= 4 for sets in places("fast", 20).values())
    # 20 draws out of at least 16 hit no more than 4 once in 10^9 times.
    assert any(len(sets) > 4 for sets in places("standard", 20).values())


def test_expected_values_are_kept_by_place_only() -> None:
    with kit.live_reference(kit.task(REFERENCE)) as reference:
        prepared = reference.prepare(reference.workloads()[0])
        kept = reference.expect(prepared, prepared.like, 1, (1, 0))
        assert reference.expect(prepared, prepared.like, 1, (1, 0)) is kept
        assert reference.expect(prepared, prepared.like, 1, (1, 1)) is not kept
        assert reference.expect(prepared, prepared.like, 1) is not kept
        after_the_fact = reference.expect(prepared, prepared.like, 1)
        assert reference.expect(prepared, prepared.like, 1) is not after_the_fact
