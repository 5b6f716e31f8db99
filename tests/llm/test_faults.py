"""Faults on the wire: they become a `ProviderError`, after the retries that make sense."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import httpx
import pytest

from kernelwright.errors import ProviderError
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import connection_fault
from kernelwright.llm.openai_chat import OpenAIChat
from tests.llm.conftest import KEY, LONG_S, QUESTION, QUICK, Hosted
from tests.llm.loopback import Reply


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_fails_at_once_and_names_its_variable(hosted: Hosted, status: int) -> None:
    hosted.loopback.script(hosted.error(status, f"bad key {KEY}"))
    with pytest.raises(ProviderError, match=f"HTTP {status}: bad key") as caught:
        hosted.ask()
    assert caught.value.hint is not None and hosted.key_variable in caught.value.hint
    assert KEY not in caught.value.message
    assert len(hosted.loopback.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_wrong_request_is_not_repeated(hosted: Hosted, status: int) -> None:
    hosted.loopback.script(hosted.error(status, "no such thing"))
    with pytest.raises(ProviderError, match="no such thing"):
        hosted.ask()
    assert len(hosted.loopback.asked) == 1


def test_the_words_of_a_server_of_another_kind_are_shown(hosted: Hosted) -> None:
    hosted.loopback.script(Reply({"detail": "no such model"}, 400))
    with pytest.raises(ProviderError, match="no such model"):
        hosted.ask()


def test_a_refused_temperature_says_what_to_do(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.error(400, "Unsupported value: 'temperature'"))
    with pytest.raises(ProviderError) as caught:
        hosted.ask()
    assert caught.value.hint is not None and "unset" in caught.value.hint


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_a_passing_fault_is_retried(hosted: Hosted, status: int) -> None:
    hosted.loopback.script(hosted.error(status, "later"), hosted.answer("hi"))
    assert hosted.ask().text == "hi"
    assert len(hosted.loopback.asked) == 2


def test_a_reset_connection_is_retried(hosted: Hosted) -> None:
    hosted.loopback.script(Reply(fault="reset"), hosted.answer("hi"))
    assert hosted.ask().text == "hi"
    assert len(hosted.loopback.asked) == 2


def gateway(status: int) -> Callable[[Hosted], Reply]:
    return lambda hosted: hosted.error(status, "the upstream went away")


@pytest.mark.parametrize(
    ("first", "paid"),
    [
        (lambda hosted: Reply(fault="reset"), 1),
        (gateway(502), 1),
        (gateway(504), 1),
        (gateway(429), 0),
        (gateway(500), 0),
    ],
)
def test_what_may_have_been_answered_may_have_cost(
    hosted: Hosted, first: Callable[[Hosted], Reply], paid: int
) -> None:
    hosted.loopback.script(first(hosted), hosted.answer("hi"))
    leaves: list[None] = []
    hosted.llm.complete(QUESTION, deadline_s=LONG_S, pay_again=lambda: leaves.append(None))
    assert len(leaves) == paid


@pytest.mark.parametrize(
    "cause", [httpx.ConnectTimeout("slow"), socket.gaierror(socket.EAI_AGAIN, "later")]
)
def test_what_was_never_sent_costs_nothing(cause: Exception) -> None:
    where = Endpoint("x", "http://127.0.0.1:1/v1", "X_API_KEY", "X_BASE_URL", KEY)
    fault = connection_fault(where, cause)
    assert fault.passing and not fault.may_cost
    assert connection_fault(where, httpx.ReadError("reset")).may_cost


def test_only_our_own_layer_retries(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.error(500, "broken for good"))
    with pytest.raises(ProviderError, match=r"broken for good \(tried 4 times\)"):
        hosted.ask()
    assert len(hosted.loopback.asked) == QUICK.tries


@pytest.mark.parametrize("header", ["retry_after_ms", "retry_after"])
def test_the_wait_that_was_asked_for_is_kept(hosted: Hosted, header: str) -> None:
    asked_s = 0.4
    value = "400" if header == "retry_after_ms" else "0.4"
    hosted.loopback.script(hosted.error(429, "slow down", **{header: value}), hosted.answer("hi"))
    started = time.monotonic()
    assert hosted.ask().text == "hi"
    assert time.monotonic() - started >= asked_s


def test_a_wait_past_the_deadline_is_not_begun(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.error(429, "slow down", retry_after="3600"))
    started = time.monotonic()
    with pytest.raises(ProviderError, match="slow down; waiting 3.6e\\+03 s"):
        hosted.ask(deadline_s=30)
    assert time.monotonic() - started < 15
    assert len(hosted.loopback.asked) == 1


@pytest.mark.parametrize("fault", ["drip", "silence"])
def test_the_deadline_holds_against_a_slow_server(hosted: Hosted, fault: str) -> None:
    hosted.loopback.script(Reply(fault="drip") if fault == "drip" else Reply(fault="silence"))
    started = time.monotonic()
    with pytest.raises(ProviderError, match="no answer within 0.5 s"):
        hosted.ask(deadline_s=0.5)
    assert time.monotonic() - started < 10
    assert len(hosted.loopback.asked) <= 1


def test_a_deadline_in_the_past_asks_nothing(hosted: Hosted) -> None:
    with pytest.raises(ProviderError, match="no answer within 0 s"):
        hosted.ask(deadline_s=0)
    assert hosted.loopback.asked == []


@pytest.mark.parametrize("body", [{}, {"choices": [], "content": None}, b"<html>hi</html>", b""])
def test_an_answer_of_another_shape_is_a_provider_error(hosted: Hosted, body: object) -> None:
    hosted.loopback.script(Reply(body))
    with pytest.raises(ProviderError, match="without an answer"):
        hosted.ask()
    assert len(hosted.loopback.asked) == 1


def test_an_error_page_is_shortened_to_one_line(hosted: Hosted) -> None:
    page = b"<html>\n" + b"bad gateway\n" * 1000
    hosted.loopback.script(Reply(page, 404, {"content-type": "text/html"}))
    with pytest.raises(ProviderError, match="bad gateway") as caught:
        hosted.ask()
    assert "\n" not in caught.value.message and len(caught.value.message) < 600


def test_a_server_that_is_not_there_fails_at_once() -> None:
    with socket.socket() as taken:  # bound but not listening: connecting is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        llm = OpenAIChat("x/y", "y", Endpoint("x", url, "X_API_KEY", "X_BASE_URL", KEY))
        started = time.monotonic()
        with pytest.raises(ProviderError, match="cannot connect to x at") as caught:
            llm.complete(QUESTION, deadline_s=60)
    assert time.monotonic() - started < 20
    assert caught.value.hint is not None and "X_BASE_URL" in caught.value.hint
