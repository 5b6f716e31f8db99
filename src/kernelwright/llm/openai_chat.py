"""OpenAI's Chat Completions API, through its SDK: the one that every compatible server has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai

from kernelwright.llm.base import Completion, Request, Watch
from kernelwright.llm.capabilities import accepted_effort
from kernelwright.llm.chat_answer import ChatAnswer
from kernelwright.llm.hosted import HostedModel
from kernelwright.llm.openai_sdk import is_openai, openai_client, private_headers
from kernelwright.llm.parts import ANSWER, arguments_of, own_data, result_text, texts
from kernelwright.llm.stream import read_answer
from kernelwright.schema import Message, ToolCall, ToolResult


class OpenAIChat(HostedModel):
    """A model behind the Chat Completions API."""

    @property
    def maker(self) -> str:
        """Tag of the thoughts that this server has shown."""
        return f"{self._endpoint.provider}/chat"

    def _ask(self, request: Request, watch: Watch, seconds: float) -> Completion:
        parameters: Any = self._parameters(request)
        with (
            openai_client(self._endpoint, seconds) as client,
            client.chat.completions.with_streaming_response.create(
                **parameters, extra_headers=private_headers(self._endpoint)
            ) as response,
        ):
            reader = ChatAnswer(self._endpoint, self.name, self._model, self.maker)
            return read_answer(self._endpoint, response, reader, watch)

    def _parameters(self, request: Request) -> dict[str, Any]:
        limit = "max_completion_tokens" if is_openai(self._endpoint.base_url) else "max_tokens"
        effort = accepted_effort(self.name, request.effort)
        schema = self._schema(request)
        tools = [{"type": "function", "function": tool.model_dump()} for tool in request.tools]
        return {
            "model": self._model,
            "messages": [one for message in request.messages for one in wire(message, self.maker)],
            limit: request.max_tokens,
            "temperature": _given(request.temperature),
            "reasoning_effort": _given(effort),
            "tools": tools or openai.omit,
            "response_format": openai.omit
            if schema is None
            else {
                "type": "json_schema",
                "json_schema": {"name": ANSWER, "schema": schema, "strict": True},
            },
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def _given(value: Any) -> Any:
    return openai.omit if value is None else value


def wire(message: Message, maker: str) -> Iterator[dict[str, Any]]:
    """Yield a message in this API's form: each of a tool's results is one of its own."""
    if isinstance(message.content, str):
        yield {"role": message.role, "content": message.content}
        return
    for part in message.content:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": result_text(part)}
    calls = [_call(part) for part in message.content if isinstance(part, ToolCall)]
    text = texts(message)
    if calls:
        # Servers want the thoughts back that led to a call, and some of them no others.
        thoughts = {
            name: value for data in own_data(message, maker) for name, value in data.items()
        }
        yield {"role": message.role, "content": text or None, "tool_calls": calls, **thoughts}
    elif text or message.role == "assistant":
        yield {"role": message.role, "content": text}


def _call(part: ToolCall) -> dict[str, Any]:
    function = {"name": part.name, "arguments": arguments_of(part)}
    return {"id": part.id, "type": "function", "function": function}
