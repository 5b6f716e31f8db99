"""OpenAI's Responses API, through its SDK. Nothing is stored there: thoughts travel encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai

from kernelwright.llm.base import Completion, Request, Watch
from kernelwright.llm.capabilities import accepted_effort, capabilities
from kernelwright.llm.hosted import HostedModel
from kernelwright.llm.openai_sdk import openai_client
from kernelwright.llm.parts import ANSWER, arguments_of, result_text
from kernelwright.llm.responses_answer import MAKER, PHASE, ResponsesAnswer
from kernelwright.llm.stream import read_answer
from kernelwright.schema import Message, OpaquePart, Part, TextPart, ToolCall, ToolResult


class OpenAIResponses(HostedModel):
    """A model behind the Responses API."""

    def _ask(self, request: Request, watch: Watch, seconds: float) -> Completion:
        parameters: Any = self._parameters(request)
        with (
            openai_client(self._endpoint, seconds) as client,
            client.responses.with_streaming_response.create(**parameters) as response,
        ):
            reader = ResponsesAnswer(self._endpoint, self.name, self._model)
            return read_answer(self._endpoint, response, reader, watch)

    def _parameters(self, request: Request) -> dict[str, Any]:
        known, effort = capabilities(self.name), accepted_effort(self.name, request.effort)
        schema = self._schema(request)
        wanted: dict[str, Any] = {
            "temperature": request.temperature,
            "reasoning": effort and {"effort": effort},
            # A model without thoughts refuses to encrypt them.
            "include": ["reasoning.encrypted_content"] if known is None or known.efforts else None,
            "prompt_cache_key": request.cache_key,
            "tools": [
                {"type": "function", "strict": False, **tool.model_dump()} for tool in request.tools
            ],
            "text": schema
            and {
                "format": {"type": "json_schema", "name": ANSWER, "schema": schema, "strict": True}
            },
        }
        return {
            "model": self._model,
            "input": [item for message in request.messages for item in _items(message)],
            "max_output_tokens": request.max_tokens,
            "store": False,
            "stream": True,
            **{
                name: openai.omit if value in (None, []) else value
                for name, value in wanted.items()
            },
        }


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """Yield a message in this API's form, in which calls and results are items of their own."""
    phase: dict[str, Any] = {}
    for part in message.parts:
        if isinstance(part, OpaquePart) and part.provider == MAKER and PHASE in part.data:
            phase = part.data
        elif isinstance(part, TextPart):
            yield {"role": message.role, "content": part.text, **phase}
            phase = {}
        elif (item := _item(part)) is not None:
            yield item


def _item(part: Part) -> dict[str, Any] | None:
    match part:
        case ToolCall():
            call = {"name": part.name, "arguments": arguments_of(part)}
            return {"type": "function_call", "call_id": part.id, **call}
        case ToolResult():
            output = result_text(part)
            return {"type": "function_call_output", "call_id": part.call_id, "output": output}
        case OpaquePart() if part.provider == MAKER:
            return part.data
    return None
