"""The `SearchStrategy` seam, and the strategies by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.schema import Attempt, Move

_STRATEGIES = {
    "beam": "kernelwright.agents.search.beam:Beam",
    "best-of-n": "kernelwright.agents.search.best_of_n:BestOfN",
    "evolve": "kernelwright.agents.search.evolve:Evolve",
    "greedy": "kernelwright.agents.search.greedy:Greedy",
    "scatter": "kernelwright.agents.search.scatter:Scatter",
}


class SearchStrategy(Protocol):
    """Decides about attempts. It keeps nothing: all it knows is what is stored of them."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """What the next attempts do.

        Args:
            attempts: those that have ended, by index.
            count: how many are wanted, at least 1; they will know nothing of each other.
            seed: the same attempts and seed give the same moves.

        Returns:
            `count` moves.
        """
        ...


def open_strategy(name: str) -> SearchStrategy:
    """The named strategy, or `package.module:Class`. Raises UsageError for an unknown one."""
    module, colon, attribute = _STRATEGIES.get(name, name).partition(":")
    if not colon:
        hint = did_you_mean(name, list(_STRATEGIES))
        raise UsageError(f"unknown search strategy {name!r}", hint=hint)
    try:
        return cast(SearchStrategy, getattr(import_module(module), attribute)())
    except ImportError as error:
        raise UsageError(f"cannot import {module}: {error}") from error
    except AttributeError as error:
        raise UsageError(f"{module} has no {attribute!r}") from error
