"""The files of a model's search that no model writes: those of `offline`, and tuned ones."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.offline.design import NotCoveredError
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.proposer import Idea, Proposer, View
from kernelwright.agents.search.known import FromKnown, seeds_left
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.agents.tunables import Point, point_of, with_numbers
from kernelwright.schema import Attempt, Candidate, SearchSettings, Usage

TUNER = "tuner"
LOST = "a file of the offline optimizer, which can't trace the reference any more"
"""The plan where a seed was chosen, and the process that goes on can't make it: it is dropped."""


class KnownProposer:
    """A proposer that makes seeds and tuned files as their moves say; others are a model's.

    Args:
        proposer: a model.
        offline: makes the seeds.
    """

    def __init__(self, proposer: Proposer, offline: OfflineProposer) -> None:
        self._proposer = proposer
        self._offline = offline

    @property
    def name(self) -> str:
        """The model's."""
        return self._proposer.name

    def plan(self, view: View) -> Idea | None:
        """Return the change in words; see `Proposer.plan` for what is a model's."""
        if not view.move.is_free:
            return self._proposer.plan(view)
        made = self._made(view)
        if made is None:
            return Idea(text=LOST, backend=view.backends[0])
        return Idea(text=made.origin.description, backend=made.backend)

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """Return the move's file; see `Proposer.code` for what is a model's."""
        return self._made(view) if view.move.is_free else self._proposer.code(view, idea)

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """See `Proposer.diagnose`."""
        return self._proposer.diagnose(view, attempt)

    def usage(self, index: int) -> Usage:
        """See `Proposer.usage`."""
        return self._proposer.usage(index)

    def _made(self, view: View) -> Candidate | None:
        """Return the file that a move describes; None where it describes none."""
        parent = view.parent.candidate if view.parent else None
        if view.move.operator == "tune" and parent is not None:
            return tuned(parent, view.move.point)
        if view.move.operator != "seed":
            return None
        try:
            return self._offline.seed(dict(view.move.point), view.backends)
        except NotCoveredError:
            return None


def from_known(
    proposer: Proposer,
    strategy: SearchStrategy,
    offline: OfflineProposer,
    backends: tuple[str, ...],
    settings: SearchSettings,
    history: Sequence[Attempt],
) -> tuple[Proposer, SearchStrategy]:
    """Return a model and a strategy as they are in a search that starts from what is known.

    Args:
        backends: those that seeds may have.
        history: attempts of an earlier part. `offline` is asked nothing once the seeds were tried.
    """
    seeds = offline.seeds(backends) if seeds_left(settings, history) else ()
    return KnownProposer(proposer, offline), FromKnown(strategy, seeds, settings)


def tuned(candidate: Candidate, point: Point) -> Candidate:
    """Return a candidate with the numbers of a point, which are all that its file declares."""
    before = dict(point_of(candidate.source))
    changed = ", ".join(f"{name}={value}" for name, value in point if before[name] != value)
    origin = candidate.origin.model_copy(
        update={
            "strategy": TUNER,
            "description": f"tune: {changed}",
            "parameters": dict(point),
            "prompt_hash": None,
        }
    )
    source = with_numbers(candidate.source, point)
    return Candidate(
        source=source, backend=candidate.backend, parents=(candidate.hash,), origin=origin
    )
