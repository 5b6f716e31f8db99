"""The dollars that the model calls of a run may cost, shared by its tasks."""

from __future__ import annotations

import threading

from kernelwright.agents.proposer import BudgetExhausted
from kernelwright.schema import Usage


class Budget:
    """Counts what was spent; once that reaches the limit, nothing more is asked.

    A call in flight when the limit is reached may pass it by its own cost. Calls whose cost nobody
    knows are allowed and counted, never taken for free ones.

    Args:
        limit_usd: 0 allows no call at all.
    """

    def __init__(self, limit_usd: float) -> None:
        self.limit_usd = limit_usd
        self._lock = threading.Lock()
        self._spent_usd = 0.0
        self._unknown = 0

    @property
    def spent_usd(self) -> float:
        """Sum of the known costs."""
        return self._spent_usd

    @property
    def calls_with_unknown_cost(self) -> int:
        """Calls that `spent_usd` leaves out."""
        return self._unknown

    def check(self) -> None:
        """Raises BudgetExhausted where no further call may be made."""
        with self._lock:
            spent_usd = self._spent_usd
        if spent_usd >= self.limit_usd:
            raise BudgetExhausted(
                f"budget used: ${spent_usd:.4g} of ${self.limit_usd:.4g}",
                hint="--budget-usd sets it",
            )

    def add(self, usage: Usage) -> None:
        """Count one call."""
        with self._lock:
            if usage.cost_usd is None:
                self._unknown += 1
            else:
                self._spent_usd += usage.cost_usd
