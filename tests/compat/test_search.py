"""A search that an earlier version left under way goes on with its unfinished attempt."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.checkpoints import checkpoints
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search_context import SearchContext
from kernelwright.agents.workflow import run_search
from kernelwright.schema import Attempt, Candidate, Move, SearchSettings, Usage
from kernelwright.store.store import open_existing
from tests.agents.crashes import judged_at_once
from tests.agents.workflow_kit import Scripted
from tests.compat.kit import Old
from tests.store import samples


class Noted:
    """A proposer that keeps what it was shown."""

    name = "noted"

    def __init__(self) -> None:
        self.views: list[View] = []

    def plan(self, view: View) -> Idea | None:
        """See `Proposer.plan`."""
        raise AssertionError("the earlier version had planned it")

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """See `Proposer.code`."""
        self.views.append(view)
        return samples.candidate("class ModelNew: pass\n")

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """See `Proposer.diagnose`."""
        return ""

    def usage(self, index: int) -> Usage:
        """See `Proposer.usage`."""
        return Usage.zero()


class Unasked:
    """A strategy that has nothing left to choose."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        raise AssertionError("the earlier version had chosen all attempts")


def test_an_attempt_under_way_goes_on_from_its_last_step(old: Old) -> None:
    (run,) = old.runs("optimize", "interrupted")
    proposer = Noted()
    with open_existing(old.store) as store, checkpoints(store) as saver:
        (task,) = store.tasks_of(run)
        history = store.attempts_of(run, task.id)
        context = SearchContext(
            run_id=run,
            task=task,
            backends=("torch",),
            proposer=proposer,
            judge=Scripted(judged_at_once),
            settings=SearchSettings(attempts=3),
            strategy=Unasked(),
            store_attempt=store.add_attempt,
            history=history,
        )
        assert run_search(context, saver, lambda told: None) == "all attempts used"
        stored = store.attempts_of(run, task.id)
    assert [attempt.index for attempt in stored] == [0, 1, 2]
    assert stored[2].plan.startswith("Make fewer calls, idea 3.")
    (shown,) = proposer.views
    assert shown.position == 2
    assert (shown.move.operator, shown.move.parent) == ("improve", 1)
    assert [attempt.index for attempt in shown.attempts] == [0, 1]
    query = "SELECT COUNT(*) FROM checkpoints WHERE thread_id = ?"
    assert old.rows(query, f"{run}/{task.id}") == [0]
