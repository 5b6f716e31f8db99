"""The cost of an attempt besides model, build and worker: all three answer at once here."""

from __future__ import annotations

import statistics
import time

from kernelwright.agents.checkpoints import checkpoints
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search.greedy import Greedy
from kernelwright.agents.search_context import SearchContext
from kernelwright.agents.workflow import run_search
from kernelwright.schema import Attempt, Candidate, SearchSettings, Usage
from kernelwright.store.store import Store
from tests.agents.crashes import judged_at_once
from tests.agents.model_kit import BACKENDS, TASK, file
from tests.agents.workflow_kit import Scripted
from tests.store import samples

MEASURED = 20
IN_A_RUN = 100


class Instant:
    """A proposer that has everything ready."""

    name = "instant"

    def plan(self, view: View) -> Idea | None:
        """See `Proposer.plan`."""
        return Idea(text="an idea", backend="cpp")

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """See `Proposer.code`."""
        return samples.candidate(file(view.position))

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """See `Proposer.diagnose`."""
        return "a diagnosis"

    def usage(self, index: int) -> Usage:
        """See `Proposer.usage`."""
        return Usage.zero()


def attempt_ms(store: Store, stored: int) -> float:
    """Return the median milliseconds of an attempt, in a store that has `stored` already."""
    _fill(store, stored)
    run_id = "measured"
    store.add_run(samples.run(run_id))
    store.add_task(run_id, TASK)
    ends: list[float] = [time.perf_counter()]

    def record(attempt: Attempt) -> None:
        store.add_attempt(attempt)
        ends.append(time.perf_counter())

    context = SearchContext(
        run_id=run_id,
        task=TASK,
        backends=BACKENDS,
        proposer=Instant(),
        judge=Scripted(judged_at_once),
        settings=SearchSettings(attempts=MEASURED, patience=10**6),
        strategy=Greedy(),
        store_attempt=record,
        history=[],
    )
    with checkpoints(store) as saver:
        run_search(context, saver, lambda told: None)
    return statistics.median(b - a for a, b in zip(ends, ends[1:], strict=False)) * 1000


def _fill(store: Store, count: int) -> None:
    """Store `count` attempts, in runs of IN_A_RUN each."""
    for start in range(0, count, IN_A_RUN):
        run_id = f"earlier-{start}"
        store.add_run(samples.run(run_id))
        store.add_task(run_id, TASK)
        for index in range(min(IN_A_RUN, count - start)):
            made = samples.candidate(file(index))
            verdict = judged_at_once(made)
            store.add_attempt(
                samples.attempt(index, made, run_id=run_id, task_id=TASK.id, evaluation=verdict)
            )
