"""Anthropic's Messages API, through its SDK."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, cast

import anthropic
from pydantic import BaseModel

from kernelwright.llm.base import Completion, Request, Stop
from kernelwright.llm.endpoint import endpoint_from_env
from kernelwright.llm.faults import connection_fault, parse_answer, status_fault
from kernelwright.llm.hosted import CONNECT_TIMEOUT_S, HostedModel
from kernelwright.llm.prices import cost_usd
from kernelwright.schema import Message, Usage

if TYPE_CHECKING:
    from anthropic.types import MessageParam, TextBlockParam

_STOPS: dict[str | None, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}


class AnthropicMessages(HostedModel):
    """A model behind the Messages API.

    System messages at the start become the request's `system`; later ones stay in their place,
    which only newer models accept.
    """

    def _ask(self, request: Request, seconds: float) -> Completion:
        # A client per request, so that abandoning one in flight can't disturb another.
        try:
            with anthropic.Anthropic(
                api_key=self._endpoint.api_key,
                base_url=self._endpoint.base_url,
                max_retries=0,
                timeout=anthropic.Timeout(seconds + 1, connect=CONNECT_TIMEOUT_S),
            ) as client:
                text = self._post(client, request)
        except anthropic.APIStatusError as error:
            raise status_fault(
                self._endpoint, error.status_code, error.body, error.response.headers
            ) from error
        except anthropic.APIConnectionError as error:
            raise connection_fault(self._endpoint, error) from error
        return self._completion(parse_answer(self._endpoint, _Response, text))

    def _post(self, client: anthropic.Anthropic, request: Request) -> str:
        system = _leading_system(request.messages)
        answer = client.messages.with_raw_response.create(
            model=self._model,
            system=system or anthropic.omit,
            messages=[
                cast("MessageParam", m.model_dump()) for m in request.messages[len(system) :]
            ],
            max_tokens=request.max_tokens,
            # Only older models accept a temperature, so the SDK has no parameter for it.
            extra_body=None
            if request.temperature is None
            else {"temperature": request.temperature},
        )
        return answer.text()

    def _completion(self, answer: _Response) -> Completion:
        return Completion(
            text="".join(block.text or "" for block in answer.content if block.type == "text"),
            stop=_STOPS.get(answer.stop_reason, "other"),
            usage=_usage(self.name, answer.usage or _Usage()),
            model=answer.model or self._model,
        )


def open_anthropic(model: str) -> AnthropicMessages:
    """Open `anthropic/MODEL`, with the key in ANTHROPIC_API_KEY.

    ANTHROPIC_BASE_URL sets another address.
    """
    endpoint = endpoint_from_env("anthropic", "ANTHROPIC", "https://api.anthropic.com")
    return AnthropicMessages(f"anthropic/{model}", model, endpoint)


def _leading_system(messages: tuple[Message, ...]) -> list[TextBlockParam]:
    leading = takewhile(lambda message: message.role == "system", messages)
    return [{"type": "text", "text": message.content} for message in leading]


class _ContentBlock(BaseModel):
    type: str
    text: str | None = None


class _Usage(BaseModel):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None

    @property
    def at_list_price(self) -> bool:
        """Whether the list prices apply: faster service and fixed regions cost more."""
        return (
            self.service_tier in (None, "standard")
            and self.speed in (None, "standard")
            and self.inference_geo in (None, "global", "not_available")
        )


class _Response(BaseModel):
    """The part of a message that is used."""

    content: list[_ContentBlock]
    stop_reason: str | None = None
    model: str | None = None
    usage: _Usage | None = None


def _usage(name: str, usage: _Usage) -> Usage:
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    # The provider counts cached tokens apart from the others.
    total = None if usage.input_tokens is None else usage.input_tokens + read + written
    cost = None
    if usage.at_list_price:
        cost = cost_usd(
            name,
            total,
            usage.output_tokens,
            cached_input_tokens=read,
            cache_write_tokens=written,
        )
    return Usage(
        input_tokens=total,
        output_tokens=usage.output_tokens,
        cost_usd=cost,
        cached_input_tokens=usage.cache_read_input_tokens,
    )
