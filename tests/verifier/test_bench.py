"""Which of the timed calls are compared afterwards."""

from __future__ import annotations

from collections import Counter

from kernelwright.schema import Limits
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
