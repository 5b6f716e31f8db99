"""The only retry layer: one deadline around every request, wait and retry of a call.

The SDKs' own retries are off. `faults` decides which faults are worth a retry.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from kernelwright.errors import ProviderError
from kernelwright.llm.base import always
from kernelwright.llm.faults import CallFault
from kernelwright.threads import in_daemon

T = TypeVar("T")


class RetryPolicy(NamedTuple):
    """The number of tries and the waits in between (seconds)."""

    tries: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


def call_until(
    attempt: Callable[[float], T],
    *,
    deadline_s: float,
    policy: RetryPolicy,
    pay_again: Callable[[], None] = always,
) -> T:
    """Call `attempt` until it succeeds, fails for good, or the deadline leaves no room.

    Args:
        attempt: makes one request within the seconds that it is given, or raises `CallFault`.
        deadline_s: wall-clock seconds for everything.
        policy: number of tries and waits.
        pay_again: see `LLM.complete`.

    Raises:
        ProviderError: no answer.
    """
    end = time.monotonic() + deadline_s
    last: CallFault | None = None
    for tried in range(1, policy.tries + 1):
        try:
            return _within(end - time.monotonic(), attempt)
        except _TooLate as error:
            raise _late(deadline_s, last) from error
        except CallFault as fault:
            last = fault
            wait_s = _wait_s(fault, tried, policy)
            if not fault.passing or tried == policy.tries:
                raise _gave_up(fault, tried) from fault
            if time.monotonic() + wait_s >= end:
                raise _no_room(fault, wait_s, deadline_s) from fault
            time.sleep(wait_s)
            if fault.may_cost:
                asked = time.monotonic()
                pay_again()
                end += time.monotonic() - asked
    raise ValueError(f"a policy needs at least one try, got {policy.tries}")


class _TooLate(Exception):
    pass


def _within(seconds: float, attempt: Callable[[float], T]) -> T:
    """Run `attempt` in a thread of its own and stop waiting for it after `seconds`.

    A socket's time-out starts anew with every byte, so it can't hold a deadline against a server
    that trickles. The thread that is given up ends with its connection, and never keeps the
    process alive.
    """
    if seconds <= 0:
        raise _TooLate
    try:
        return in_daemon(lambda: attempt(seconds)).result(timeout=seconds)
    except TimeoutError as error:
        raise _TooLate from error


def _wait_s(fault: CallFault, tried: int, policy: RetryPolicy) -> float:
    backoff_s = min(policy.first_wait_s * 2.0 ** (tried - 1), policy.longest_wait_s)
    return max(fault.wait_s or 0.0, backoff_s * random.uniform(0.5, 1.0))


def _late(deadline_s: float, last: CallFault | None) -> ProviderError:
    before = f"; before that, {last.message}" if last else ""
    return ProviderError(f"no answer within {deadline_s:g} s{before}", last.hint if last else None)


def _gave_up(fault: CallFault, tried: int) -> ProviderError:
    return ProviderError(
        fault.message + (f" (tried {tried} times)" if tried > 1 else ""), fault.hint
    )


def _no_room(fault: CallFault, wait_s: float, deadline_s: float) -> ProviderError:
    return ProviderError(
        f"{fault.message}; waiting {wait_s:.3g} s to ask again would pass "
        f"the deadline of {deadline_s:g} s",
        fault.hint,
    )
