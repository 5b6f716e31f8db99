"""Anthropic's Messages API, through its SDK."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import anthropic

from kernelwright.llm.anthropic_answer import MAKER, AnthropicAnswer
from kernelwright.llm.base import Completion, Request, Watch
from kernelwright.llm.capabilities import accepted_effort, capabilities
from kernelwright.llm.endpoint import endpoint_from_env
from kernelwright.llm.faults import connection_fault, status_fault
from kernelwright.llm.hosted import CONNECT_TIMEOUT_S, HostedModel
from kernelwright.llm.parts import arguments_object
from kernelwright.llm.stream import read_answer
from kernelwright.schema import Message, OpaquePart, Part, TextPart, ToolCall, ToolResult

_CACHED = {"type": "ephemeral"}


class AnthropicMessages(HostedModel):
    """A model behind the Messages API.

    System messages at the start become the request's `system`; later ones stay in their place,
    which only newer models accept.
    """

    def _ask(self, request: Request, watch: Watch, seconds: float) -> Completion:
        parameters: Any = self._parameters(request)
        # A client per request, so that abandoning one in flight can't disturb another.
        try:
            with (
                anthropic.Anthropic(
                    api_key=self._endpoint.api_key,
                    base_url=self._endpoint.base_url,
                    max_retries=0,
                    timeout=anthropic.Timeout(seconds + 1, connect=CONNECT_TIMEOUT_S),
                ) as client,
                client.messages.with_streaming_response.create(**parameters) as response,
            ):
                reader = AnthropicAnswer(self._endpoint, self.name, self._model)
                return read_answer(self._endpoint, response, reader, watch)
        except anthropic.APIStatusError as error:
            raise status_fault(
                self._endpoint, error.status_code, error.body, error.response.headers
            ) from error
        except anthropic.APIConnectionError as error:
            raise connection_fault(self._endpoint, error) from error

    def _parameters(self, request: Request) -> dict[str, Any]:
        system = _leading_system(request)
        effort, schema = accepted_effort(self.name, request.effort), self._schema(request)
        output: dict[str, Any] = {"effort": effort} if effort not in (None, "none") else {}
        if schema is not None:
            output["format"] = {"type": "json_schema", "schema": schema}
        tools = [
            {"name": t.name, "description": t.description, "input_schema": t.parameters}
            for t in request.tools
        ]
        wanted: dict[str, Any] = {
            "system": system,
            "thinking": self._thinking(effort),
            "output_config": output,
            "tools": tools,
            # Each call of a conversation goes on from the one before; of others, only the system
            # prompt comes again.
            "cache_control": _CACHED if tools else {},
        }
        return {
            "model": self._model,
            "messages": [_wire(message) for message in request.messages[len(system) :]],
            "max_tokens": request.max_tokens,
            "stream": True,
            **{name: value or anthropic.omit for name, value in wanted.items()},
            # Only older models accept a temperature, so the SDK has no parameter for it.
            "extra_body": None
            if request.temperature is None
            else {"temperature": request.temperature},
        }

    def _thinking(self, effort: str | None) -> dict[str, Any]:
        """Return how thoughts are asked for, or left out; empty where the default does it."""
        known = capabilities(self.name)
        if effort is None or known is None:
            return {}
        if effort == "none":
            return {"type": known.off}
        return {"type": "adaptive"} if known.thinks == "if_asked" else {}


def open_anthropic(model: str) -> AnthropicMessages:
    """Open `anthropic/MODEL`, with the key in ANTHROPIC_API_KEY.

    ANTHROPIC_BASE_URL sets another address.
    """
    endpoint = endpoint_from_env("anthropic", "ANTHROPIC", "https://api.anthropic.com")
    return AnthropicMessages(f"anthropic/{model}", model, endpoint)


def _leading_system(request: Request) -> list[dict[str, Any]]:
    leading = takewhile(lambda message: message.role == "system", request.messages)
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text} for message in leading]
    if blocks and request.cache_key is not None:
        blocks[-1]["cache_control"] = _CACHED
    return blocks


def _wire(message: Message) -> dict[str, Any]:
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    blocks = [block for part in message.content if (block := _block(part)) is not None]
    return {"role": message.role, "content": blocks}


def _block(part: Part) -> dict[str, Any] | None:
    """Return a part in this API's form; None for other providers' opaque parts."""
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ToolCall():
            given = arguments_object(part)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": given}
        case ToolResult():
            result = {"tool_use_id": part.call_id, "content": part.text}
            return {"type": "tool_result", **result, "is_error": part.is_error}
        case OpaquePart():
            return part.data if part.provider == MAKER else None
