"""Independent attempts: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.schema import Attempt, Move


class BestOfN:
    """A strategy that starts afresh every time, and shows nothing of what was tried."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        return [Move(leads_on=False)] * count
