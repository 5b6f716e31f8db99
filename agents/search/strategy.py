"""The `SearchStrategy` seam, and the strategies by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kernelwright.registry import Kind, Registry
from kernelwright.schema import Attempt, Move


class SearchStrategy(Protocol):
    """A strategy that decides about attempts; all it knows is what is stored of them."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """Choose what the next attempts do.

        Args:
            attempts: the attempts that have ended, by index.
            count: how many are wanted, at least 1; they will know nothing of each other.
            seed: the same attempts and seed give the same moves.

        Returns:
            `count` moves.
        """
        ...


STRATEGIES: Registry[SearchStrategy] = Registry(
    "search strategy",
    Kind("a search strategy", "choose"),
    {
        "beam": "kernelwright.agents.search.beam:Beam",
        "best-of-n": "kernelwright.agents.search.best_of_n:BestOfN",
        "evolve": "kernelwright.agents.search.evolve:Evolve",
        "greedy": "kernelwright.agents.search.greedy:Greedy",
        "scatter": "kernelwright.agents.search.scatter:Scatter",
    },
    "kernelwright.search",
)


def open_strategy(name: str) -> SearchStrategy:
    """Return the named strategy, or an instance of `package.module:Class`.

    Raises:
        UsageError: no such strategy, or something that is none.
    """
    return STRATEGIES.open(name)
