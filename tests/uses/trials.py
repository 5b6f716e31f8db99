"""Trials of candidates without timing: seconds instead of a whole verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kernelwright.backends.registry import open_backend
from kernelwright.cli.verify import read_candidate
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Level, UseResult
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.candidate import CandidateWorker
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.uses.expected import ExpectedUses, Plan
from kernelwright.verifier.uses.trial import Trial

SEED = 7
# Far more than some uses take: a busy machine must not cut them off.
BUDGET_S = 300.0
Chosen = Callable[[bool, bool], ExpectedUses]
"""The reference's side of a trial, by whether parameters are the judge's own."""


class SomeUses(ExpectedUses):
    """The reference's side of some uses."""

    names: Collection[str] = ()

    def plan(self) -> Plan:
        """Return the plan of these uses alone."""
        plan = super().plan()
        return plan._replace(variants=[one for one in plan.variants if one.use in self.names])


def tried(
    task: Path, candidates: Sequence[tuple[Path, Collection[str]]], where: Machine, cache: Path
) -> Iterator[tuple[UseResult, ...]]:
    """Yield the outcomes of some uses of each candidate, all of one task.

    Raises:
        WorkerFault: a candidate does not build or load.
    """
    with Reference(load_task(str(task)), where, SEED) as reference:
        for path, names in candidates:
            candidate = read_candidate(path)
            with (
                some_uses(reference, names) as choose,
                trial(reference, choose, candidate, cache, "strict", BUDGET_S) as started,
            ):
                yield started.run().results


@contextmanager
def some_uses(reference: Reference, names: Collection[str]) -> Iterator[Chosen]:
    """Yield the reference's side of some uses, on its first workload."""
    live = reference.prepare(reference.workloads()[0])
    with ExitStack() as opened:

        def choose(with_own: bool, may_trim: bool) -> ExpectedUses:
            prepared = live.perturbed if with_own else live.prepared
            found = SomeUses(reference.task, reference.machine, prepared, SEED, may_trim)
            found.names = names
            return opened.enter_context(found)

        yield choose


@contextmanager
def trial(
    reference: Reference,
    choose: Chosen,
    candidate: Candidate,
    cache: Path,
    level: Level,
    budget_s: float,
) -> Iterator[Trial]:
    """Yield the trial of a built candidate, which is yet to run."""
    build = build_candidate(candidate, open_backend(candidate.backend), reference, cache)
    tolerance = reference.task.tolerance
    with CandidateWorker(reference, candidate, build.folder) as worker:
        yield Trial(choose, worker.restart, candidate, tolerance, level, budget_s)
