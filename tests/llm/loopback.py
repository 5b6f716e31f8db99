"""A provider on 127.0.0.1 that speaks the real wire formats and misbehaves on request."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal

from kernelwright.schema import ToolCall
from tests.llm.streams import encoded, events_of


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer, with the fault to answer with."""

    body: object = None
    """Sent as JSON; bytes are sent as they are."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["reset", "silence", "drip", "drop", "end"] | None = None
    """`reset`: RST instead of an answer. `silence`: nothing at all. `drip`: a body without end.
    `drop`: a stream that breaks half-way. `end`: one that ends there, as if it were whole."""
    events: Sequence[object] | None = None
    """Events to stream in the place of those that `body` makes."""
    in_one_piece: bool = False
    """Answer without a stream, whatever was asked for."""
    chunk_bytes: int = 10**9
    """Most bytes of a piece on the wire."""


class Loopback:
    """The server. `asked` holds every request that arrived, in order.

    Answers come from `respond`; `script` sets it to give replies in turn, and then the last one.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.respond: Callable[[Asked], Reply] = lambda asked: Reply(status=500)
        self._closing = threading.Event()
        own = {"loopback": self, "closing": self._closing}
        handler = type("_OwnHandler", (_Handler,), own)
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, *replies: Reply) -> None:
        """Answer with `replies` in turn, then with the last one."""
        waiting = list(replies)
        self.respond = lambda asked: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def close(self) -> None:
        """Stop the server, and end every pending answer."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about a client that is gone, killed perhaps."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    loopback: ClassVar[Loopback]
    closing: ClassVar[threading.Event]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body)
        self.loopback.asked.append(asked)
        reply = self.loopback.respond(asked)
        self.close_connection = reply.fault is not None
        try:
            self._answer(asked, reply)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, asked: Asked, reply: Reply) -> None:
        if reply.fault == "silence":
            self.closing.wait()
        elif reply.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif reply.fault == "drip":
            self._head(reply, {"content-length": str(10**9)})
            while not self.closing.wait(0.01):
                self.wfile.write(b" ")
        elif (events := _streamed(asked, reply)) is not None:
            self._stream(reply, b"".join(encoded(events)))
        else:
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self._head(reply, {"content-length": str(len(data))})
            self.wfile.write(data)

    def _stream(self, reply: Reply, data: bytes) -> None:
        chunked = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        self._head(reply, chunked)
        if reply.fault is not None:
            data = data[: len(data) // 2]
        for start in range(0, len(data), reply.chunk_bytes):
            piece = data[start : start + reply.chunk_bytes]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if reply.fault != "drop":
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, reply: Reply, more: Mapping[str, str]) -> None:
        self.send_response(reply.status)
        headers = {"content-type": "application/json", **reply.headers, **more}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def _streamed(asked: Asked, reply: Reply) -> Sequence[object] | None:
    """Return the events to stream; None where the answer goes out in one piece."""
    if reply.events is not None:
        return reply.events
    if reply.in_one_piece or reply.status != 200 or not asked.body.get("stream"):
        return None
    return events_of(asked.path, reply.body) if isinstance(reply.body, dict) else None


def openai_answer(
    text: str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: dict[str, Any] | None = None,
    model: str = "gpt-4o-2024-08-06",
    **said: Any,
) -> Reply:
    """Return a chat completion as OpenAI sends it; `usage` None leaves the field out.

    Args:
        said: more fields of the message.
    """
    message = {"role": "assistant", "content": text, "refusal": refusal, **said}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [choice],
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def openai_usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    """Return token counts as OpenAI sends them: `prompt` includes the cached ones."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def openai_calls(**calls: str) -> list[dict[str, Any]]:
    """Return tool calls as OpenAI sends them: arguments by the tool's name."""
    return [
        {"id": f"call-{name}", "type": "function", "function": {"name": name, "arguments": given}}
        for name, given in calls.items()
    ]


def openai_calling(calls: Sequence[ToolCall]) -> Reply:
    """Return a chat completion of tool calls alone."""
    made = []
    for call in calls:
        function = {"name": call.name, "arguments": call.arguments}
        made.append({"id": call.id, "type": "function", "function": function})
    return openai_answer(None, finish_reason="tool_calls", tool_calls=made)


def responses_calling(calls: Sequence[ToolCall]) -> Reply:
    """Return a response of tool calls alone."""
    made = []
    for call in calls:
        item = {"type": "function_call", "id": f"fc_{call.id}", "call_id": call.id}
        made.append({**item, "name": call.name, "arguments": call.arguments})
    return responses_answer(None, items=made)


def anthropic_calling(calls: Sequence[ToolCall]) -> Reply:
    """Return a message of tool calls alone."""
    reply = anthropic_answer(None, stop_reason="tool_use")
    assert isinstance(reply.body, dict)
    for call in calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name}
        reply.body["content"].append({**block, "input": json.loads(call.arguments)})
    return reply


def responses_answer(
    text: str | None,
    *,
    status: str = "completed",
    reason: str | None = None,
    refusal: str | None = None,
    usage: dict[str, Any] | None = None,
    model: str = "gpt-5-2025-08-07",
    items: Sequence[dict[str, Any]] = (),
) -> Reply:
    """Return a response as OpenAI sends it; `usage` None leaves the field out.

    Args:
        reason: why it is incomplete.
        items: of the output, before the message.
    """
    words = [{"type": "output_text", "text": text, "annotations": []}] if text is not None else []
    if refusal is not None:
        words = [{"type": "refusal", "refusal": refusal}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    body = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": model,
        "output": [*items, *([{**message, "content": words}] if words else [])],
        "incomplete_details": None if reason is None else {"reason": reason},
        "error": None,
        "service_tier": "default",
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def responses_usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    """Return token counts as the Responses API sends them: `prompt` includes the cached ones."""
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }


def openai_error(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    """Return an error as OpenAI sends it; underscores in header names become dashes."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply({"error": error}, status, _header_names(headers))


def anthropic_answer(
    text: str | None,
    *,
    stop_reason: str = "end_turn",
    usage: dict[str, Any] | None = None,
    model: str = "claude-haiku-4-5-20251001",
) -> Reply:
    """Return a message as Anthropic sends it.

    `text` None means no content, `usage` None no usage.
    """
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def anthropic_usage(uncached: int, output: int, read: int = 0, written: int = 0) -> dict[str, Any]:
    """Return token counts as Anthropic sends them: cached ones are counted apart."""
    return {
        "input_tokens": uncached,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "service_tier": "standard",
    }


def anthropic_error(status: int, message: str, code: str = "api_error", **headers: str) -> Reply:
    """Return an error as Anthropic sends it; underscores in header names become dashes."""
    body = {"type": "error", "error": {"type": code, "message": message}, "request_id": "req_1"}
    return Reply(body, status, _header_names(headers))


def _header_names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
