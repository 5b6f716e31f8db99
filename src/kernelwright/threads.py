"""Threads that a caller can abandon: none of them keeps the process alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_daemon(function: Callable[[], T]) -> Future[T]:
    """Run a function in a daemon thread of its own; the future gets what it returns or raises."""
    future: Future[T] = Future()
    threading.Thread(target=_fulfil, args=(future, function), daemon=True).start()
    return future


def _fulfil(future: Future[T], function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # the waiting thread raises it
        future.set_exception(error)
