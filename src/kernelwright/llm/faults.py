"""Faults of one request, the same for every SDK, and whether another try can help."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.parts import json_of_whole_characters, whole_characters

_RETRIED = frozenset({408, 409, 429})
# Statuses of a gateway that lost the answer on its way.
_GATEWAY = frozenset({502, 504})
# Words in the names of errors that another try meets again.
_FINAL = (
    *("invalid", "authentication", "permission", "not_found", "too_large"),
    *("billing", "quota", "context_length", "policy"),
)
_LONGEST_DETAIL = 400
_SHORTEST_SECRET = 8

M = TypeVar("M", bound=BaseModel)


class CallFault(Exception):
    """The failure of one request.
    Args:
        message: one sentence, without secrets.
        hint: what the user can do about it.
        passing: True when the same request may succeed later.
        may_cost: True when the provider may have answered, and charged for it.
        wait_s: how long the provider asked us to wait.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        passing: bool = False,
        may_cost: bool = False,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.passing = passing
        self.may_cost = may_cost
        self.wait_s = wait_s


def status_fault(
    endpoint: Endpoint, status: int, body: object, headers: Mapping[str, str]
) -> CallFault:
    """Return the fault of an HTTP error status; `body` is parsed JSON, or raw text."""
    detail = _shown(endpoint, body)
    out_of_credit = _error_code(body) == "insufficient_quota"
    return CallFault(
        f"{endpoint.provider} answered HTTP {status}" + (f": {detail}" if detail else ""),
        _status_hint(endpoint, status, detail, out_of_credit),
        passing=(status in _RETRIED or status >= 500) and not out_of_credit,
        may_cost=status in _GATEWAY,
        wait_s=retry_after_s(headers),
    )


def connection_fault(endpoint: Endpoint, error: BaseException) -> CallFault:
    """Return the fault of a failed connection; one that was never possible is not tried again."""
    causes = list(_chain(error))
    what = str(causes[-1]) or type(causes[-1]).__name__
    where = f"{endpoint.provider} at {endpoint.base_url}"
    if any(_is_hopeless(cause) for cause in causes):
        hint = f"is the server up? {endpoint.url_variable} sets its address"
        return CallFault(f"cannot connect to {where}: {what}", hint)
    was_sent = not any(_is_before_sending(cause) for cause in causes)
    message = f"the connection to {where} failed: {what}"
    return CallFault(message, passing=True, may_cost=was_sent)


def stream_fault(endpoint: Endpoint, error: object) -> CallFault:
    """Return the fault that a provider tells of in the middle of an answer.

    Args:
        error: its `error` object, parsed: with `message`, and `type` or `code`.
    """
    kinds = [error.get(name) for name in ("type", "code")] if isinstance(error, dict) else []
    is_final = any(word in str(kind) for kind in kinds for word in _FINAL)
    return CallFault(
        f"{endpoint.provider} broke off its answer: {_shown(endpoint, error) or 'no reason given'}",
        passing=not is_final,
        may_cost=True,
    )


def broken_off(
    endpoint: Endpoint, characters: int, error: BaseException | None = None
) -> CallFault:
    """Return the fault of an answer that ended in the middle; what came of it may have cost.

    Args:
        error: of the connection; None where the server ended it.
    """
    cause = _chain(error)[-1] if error else None
    what = f": {str(cause) or type(cause).__name__}" if cause else ""
    message = f"the answer of {endpoint.provider} broke off after {characters:,} characters{what}"
    return CallFault(message, passing=True, may_cost=True)


def no_answer(endpoint: Endpoint, what: str = "body: nothing in it") -> CallFault:
    """Return the fault of something that is no answer; another try would not help."""
    return CallFault(
        f"{endpoint.provider} answered HTTP 200 without an answer ({what})",
        f"does {endpoint.url_variable} point to an API of this kind?",
    )


def parse_answer(endpoint: Endpoint, wire: type[M], text: str) -> M:
    """Return an answer, or an event of one, parsed as `wire`: the only check of its form.

    Raises:
        CallFault: the text is something else; another try would not help.
    """
    try:
        return wire.model_validate_json(json_of_whole_characters(text))
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in what["loc"]) or "body"
        raise no_answer(endpoint, f"{place}: {what['msg']}") from error


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` (number or HTTP date) ask for."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    return seconds if seconds is not None or text is None else _seconds_until(text)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _seconds_until(date: str) -> float | None:
    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _status_hint(endpoint: Endpoint, status: int, detail: str, out_of_credit: bool) -> str | None:
    if out_of_credit:
        return f"the account behind {endpoint.key_variable} has no credit left"
    if status in (401, 403):
        return f"check the key in {endpoint.key_variable}"
    if status == 404:
        return f"check the model's name; {endpoint.url_variable} sets the server's address"
    if status == 400 and "temperature" in detail:
        return "this model may take no temperature: leave it unset"
    return None


def _inner(body: object) -> object:
    """Return the `error` object, which one SDK unwraps and the other does not."""
    return body["error"] if isinstance(body, dict) and "error" in body else body


def _shown(endpoint: Endpoint, body: object) -> str:
    """Return the words of an error on one line, shortened and without the key."""
    inner = _inner(body)
    if isinstance(inner, dict):
        inner = inner.get("message") or inner.get("detail")  # FastAPI's servers have the latter
    detail = " ".join(whole_characters(str(inner)).split()) if inner else ""
    if len(endpoint.api_key) >= _SHORTEST_SECRET:
        detail = detail.replace(endpoint.api_key, "***")
    return detail[:_LONGEST_DETAIL]


def _error_code(body: object) -> object:
    inner = _inner(body)
    return inner.get("code") if isinstance(inner, dict) else None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _is_before_sending(error: BaseException) -> bool:
    # Exceptions of httpx and httpcore, which both SDKs use.
    is_connecting = type(error).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout")
    return is_connecting or isinstance(error, socket.gaierror)


def _is_hopeless(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    return isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
