"""OpenAI's Chat Completions API, through its SDK: OpenAI itself and every compatible server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, Field

from kernelwright.errors import UsageError
from kernelwright.llm.base import Completion, Request, Stop
from kernelwright.llm.endpoint import endpoint_from_env
from kernelwright.llm.faults import connection_fault, parse_answer, status_fault
from kernelwright.llm.hosted import CONNECT_TIMEOUT_S, HostedModel
from kernelwright.llm.prices import cost_usd
from kernelwright.schema import Usage

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

_STOPS: dict[str | None, Stop] = {
    "stop": "end",
    "length": "max_tokens",
    "content_filter": "refusal",
}
# The SDK reads these headers from variables meant for OpenAI, and would send them to any server.
_NOT_FOR_OTHERS = {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}


class OpenAIChat(HostedModel):
    """A model behind the Chat Completions API."""

    def _ask(self, request: Request, seconds: float) -> Completion:
        # A client per request, so that abandoning one in flight can't disturb another.
        try:
            with openai.OpenAI(
                api_key=self._endpoint.api_key,
                base_url=self._endpoint.base_url,
                max_retries=0,
                timeout=openai.Timeout(seconds + 1, connect=CONNECT_TIMEOUT_S),
            ) as client:
                text = self._post(client, request)
        except openai.APIStatusError as error:
            raise status_fault(
                self._endpoint, error.status_code, error.body, error.response.headers
            ) from error
        except openai.APIConnectionError as error:
            raise connection_fault(self._endpoint, error) from error
        return self._completion(parse_answer(self._endpoint, _Response, text))

    def _post(self, client: openai.OpenAI, request: Request) -> str:
        new_limit = takes_max_completion_tokens(self._endpoint.base_url)
        answer = client.chat.completions.with_raw_response.create(
            model=self._model,
            messages=[cast("ChatCompletionMessageParam", m.model_dump()) for m in request.messages],
            max_completion_tokens=request.max_tokens if new_limit else openai.omit,
            max_tokens=openai.omit if new_limit else request.max_tokens,
            temperature=openai.omit if request.temperature is None else request.temperature,
            extra_headers=None if self._endpoint.provider == "openai" else _NOT_FOR_OTHERS,
        )
        return answer.text

    def _completion(self, answer: _Response) -> Completion:
        choice = answer.choices[0]
        refusal = choice.message.refusal
        return Completion(
            text=choice.message.content or refusal or "",
            stop="refusal" if refusal else _STOPS.get(choice.finish_reason, "other"),
            usage=_usage(self.name, answer),
            model=answer.model or self._model,
        )


def open_openai(model: str) -> OpenAIChat:
    """Open `openai/MODEL`, with the key in OPENAI_API_KEY; OPENAI_BASE_URL sets another address."""
    endpoint = endpoint_from_env("openai", "OPENAI", "https://api.openai.com/v1")
    return OpenAIChat(f"openai/{model}", model, endpoint)


def open_service(service_and_model: str) -> OpenAIChat:
    """Open `openai-api/SERVICE/MODEL`, with <SERVICE>_BASE_URL and <SERVICE>_API_KEY."""
    service, _, model = service_and_model.partition("/")
    if not service or not model:
        raise UsageError(
            f"no service or no model in 'openai-api/{service_and_model}'",
            "write openai-api/SERVICE/MODEL",
        )
    endpoint = endpoint_from_env(service, service.upper().replace("-", "_"), None)
    return OpenAIChat(f"openai-api/{service_and_model}", model, endpoint)


def takes_max_completion_tokens(base_url: str) -> bool:
    """Whether the server takes `max_completion_tokens`, as OpenAI's own do.

    Newer models there refuse `max_tokens`. Compatible servers often know only `max_tokens`.
    """
    host = urlsplit(base_url).hostname or ""
    return host == "openai.com" or host.endswith((".openai.com", ".openai.azure.com"))


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _InputDetails(BaseModel):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None


class _Response(BaseModel):
    """The part of a chat completion that is used; compatible servers leave out the rest."""

    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: _Usage | None = None
    service_tier: str | None = None


def _usage(name: str, answer: _Response) -> Usage:
    usage = answer.usage or _Usage()
    details = usage.prompt_tokens_details or _InputDetails()
    cost = None
    if answer.service_tier in (None, "default"):  # other tiers have other prices
        cost = cost_usd(
            name,
            usage.prompt_tokens,
            usage.completion_tokens,
            cached_input_tokens=details.cached_tokens or 0,
            cache_write_tokens=details.cache_write_tokens or 0,
        )
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cost_usd=cost,
        cached_input_tokens=details.cached_tokens,
    )
