"""The retry layer on its own: deadline, waits, and the errors that leave it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from kernelwright.errors import ProviderError
from kernelwright.llm.faults import CallFault, retry_after_s
from kernelwright.llm.retry import RetryPolicy, call_until
from tests.llm.conftest import LONG_S, QUICK


def test_the_attempt_is_told_the_time_that_is_left() -> None:
    left: list[float] = []

    def attempt(seconds: float) -> str:
        left.append(seconds)
        if len(left) < 3:
            raise CallFault("not yet", passing=True)
        return "done"

    assert call_until(attempt, deadline_s=LONG_S, policy=QUICK) == "done"
    assert LONG_S >= left[0] > left[1] > left[2] > 0


def test_waits_double_up_to_the_longest() -> None:
    times: list[float] = []

    def attempt(seconds: float) -> str:
        times.append(time.monotonic())
        raise CallFault("never", "look elsewhere", passing=True)

    policy = RetryPolicy(tries=4, first_wait_s=0.04, longest_wait_s=0.08)
    with pytest.raises(ProviderError, match="never") as caught:
        call_until(attempt, deadline_s=LONG_S, policy=policy)
    waits = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert all(wait >= least for wait, least in zip(waits, (0.02, 0.04, 0.04), strict=True))
    assert caught.value.hint == "look elsewhere"


def test_the_deadline_holds_though_the_attempt_never_ends() -> None:
    forever = threading.Event()
    started = time.monotonic()
    with pytest.raises(ProviderError, match="no answer within 0.1 s"):
        call_until(lambda seconds: forever.wait(), deadline_s=0.1, policy=QUICK)
    assert time.monotonic() - started < 5
    forever.set()


def test_the_deadline_covers_every_try_and_tells_the_last_fault() -> None:
    release = threading.Event()
    tries: list[float] = []

    def attempt(seconds: float) -> bool:
        tries.append(seconds)
        if len(tries) == 1:
            raise CallFault("x answered HTTP 500", passing=True)
        return release.wait()

    with pytest.raises(ProviderError, match="within 1.5 s; before that, x answered HTTP 500"):
        call_until(attempt, deadline_s=1.5, policy=QUICK)
    release.set()


@pytest.mark.parametrize(("may_cost", "paid"), [(True, 2), (False, 0)])
def test_leave_is_asked_before_a_try_that_follows_a_lost_one(may_cost: bool, paid: int) -> None:
    tries, leaves = 0, 0

    def attempt(seconds: float) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise CallFault("broken off", passing=True, may_cost=may_cost)
        return "done"

    def leave() -> None:
        nonlocal leaves
        leaves += 1

    answer = call_until(attempt, deadline_s=LONG_S, policy=QUICK, pay_again=leave)
    assert (answer, leaves) == ("done", paid)


def test_without_leave_nothing_is_sent() -> None:
    def attempt(seconds: float) -> str:
        raise CallFault("broken off", passing=True, may_cost=True)

    def leave() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        call_until(attempt, deadline_s=LONG_S, policy=QUICK, pay_again=leave)


def test_a_bug_is_not_taken_for_a_fault() -> None:
    def attempt(seconds: float) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call_until(attempt, deadline_s=LONG_S, policy=QUICK)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = retry_after_s({"retry-after": date})
    assert seconds is not None and 3000 < seconds <= 3600
