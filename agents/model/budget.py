"""Budgets of model calls (dollars, tokens, calls, seconds): reserved before, settled after.

A call takes from every scope that it is in (run, task, attempt). Before it is sent, the most that
it can use is held back in all of them, so calls under way at once cannot overshoot together. Near
the limit they go one after the other: a call that does not fit beside the others waits until those
are settled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kernelwright.agents.proposer import BudgetExhausted, Scope
from kernelwright.config import Allowance
from kernelwright.schema import Usage

# Rounding error of sums of floating-point dollars.
ROUNDING_USD = 1e-9


class Amounts(NamedTuple):
    """The amounts that are counted. Unknown parts of a usage are left out."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0

    def plus(self, other: Amounts, times: int = 1) -> Amounts:
        """Return the sum of these amounts and `times` the other."""
        return Amounts(
            self.usd + times * other.usd,
            self.tokens + times * other.tokens,
            self.calls + times * other.calls,
        )


class Reservation:
    """The amounts held back for one call, in its scopes; see `Budget.reserved`."""

    def __init__(self, scopes: Sequence[Budget], worst: Usage) -> None:
        self._scopes = scopes
        self._changed = scopes[0]._changed
        self._worst = worst
        self._needed = _amounts(worst)
        self._used = worst
        """Usage that counts in the end: the worst case until the call is settled."""
        self._is_held = False

    def settle(self, usage: Usage) -> None:
        """Set what the call has used; parts that are not known count as the worst case."""
        known = usage.model_dump(exclude_none=True)
        self._used = self._worst.model_copy(update=known)

    def renew(self) -> None:
        """Count what is held as used, and hold back as much for another try.

        Raises:
            BudgetExhausted: it does not fit.
        """
        self.release()
        self.take()

    def take(self) -> None:
        """Wait for room beside the calls under way, and hold it. Raises BudgetExhausted."""
        with self._changed:
            while True:
                for scope in self._scopes:
                    scope._require(self._needed)
                if all(scope._fits(self._needed) for scope in self._scopes):
                    break
                self._changed.wait()
            self._hold(1)

    def release(self) -> None:
        """Count what was used; do nothing where nothing is held."""
        with self._changed:
            if self._is_held:
                self._hold(-1)
                for scope in self._scopes:
                    scope._count(self._used)
                self._changed.notify_all()

    def _hold(self, times: int) -> None:
        self._is_held = times > 0
        for scope in self._scopes:
            scope._held = scope._held.plus(self._needed, times)


class Budget:
    """The budget of one scope.

    Args:
        allowance: 0 of anything allows no call at all; None does not limit it.
        scope: its name in messages.
        within: the scope around it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        allowance: Allowance,
        scope: Scope = "run",
        within: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allowance = allowance
        self.scope = scope
        self._scopes: tuple[Budget, ...] = (*(within._scopes if within else ()), self)
        self._changed: threading.Condition = within._changed if within else threading.Condition()
        self._clock = clock
        self._start = clock()
        self._used = Amounts()
        self._held = Amounts()

    def inner(self, scope: Scope, allowance: Allowance) -> Budget:
        """Return a scope inside this one."""
        return Budget(allowance, scope, self, self._clock)

    @property
    def used(self) -> Amounts:
        """Amounts that were settled, in the known parts."""
        return self._used

    @property
    def spent_usd(self) -> float:
        """Sum of the known costs, and of the worst cases of calls that told none."""
        return self._used.usd

    def add(self, usage: Usage) -> None:
        """Count a call of an earlier part of the run, in this scope but not in those around it."""
        with self._changed:
            self._count(usage)

    @contextmanager
    def reserved(self, worst: Usage) -> Iterator[Reservation]:
        """Hold back what a call can use while the `with` body sends it.

        Args:
            worst: the most it can use; dollars are None where its price is not known.

        Raises:
            BudgetExhausted: it does not fit into a scope, whatever the calls under way will use.
        """
        reservation = Reservation(self._scopes, worst)
        reservation.take()
        try:
            yield reservation
        finally:
            reservation.release()

    def _require(self, needed: Amounts) -> None:
        seconds = self.allowance.seconds
        if seconds is not None and self._clock() - self._start >= seconds:
            words = f"budget of the {self.scope}: {seconds:g} s are over"
            raise BudgetExhausted(words, HINTS[self.scope], self.scope)
        for name in self._too_little(needed, Amounts()):
            raise BudgetExhausted(self._words(name, needed), HINTS[self.scope], self.scope)

    def _fits(self, needed: Amounts) -> bool:
        return not any(self._too_little(needed, self._held))

    def _too_little(self, needed: Amounts, held: Amounts) -> Iterator[str]:
        """Yield the names of amounts that do not suffice beside what is used and held."""
        for name in Amounts._fields:
            limit = getattr(self.allowance, name)
            total = sum(getattr(amounts, name) for amounts in (self._used, held, needed))
            if limit is not None and (limit == 0 or total > limit + ROUNDING_USD):
                yield name

    def _words(self, name: str, needed: Amounts) -> str:
        used, more, limit = (
            _shown(name, value)
            for value in (
                getattr(self._used, name),
                getattr(needed, name),
                getattr(self.allowance, name),
            )
        )
        need = "" if name == "calls" else f"; the next call may take up to {more}"
        return f"budget of the {self.scope}: {used} of {limit} used{need}"

    def _count(self, usage: Usage) -> None:
        self._used = self._used.plus(_amounts(usage))


HINTS: dict[Scope, str] = {
    "run": "--budget-usd, budget_tokens and budget_calls set it",
    "task": "task_budget sets it",
    "attempt": "attempt_budget sets it",
}


def _amounts(usage: Usage) -> Amounts:
    tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
    return Amounts(usage.cost_usd or 0.0, tokens, 1)


def _shown(name: str, value: float) -> str:
    return f"${value:.4g}" if name == "usd" else f"{value:,} {name}"
