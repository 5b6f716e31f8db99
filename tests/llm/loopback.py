"""A provider on 127.0.0.1 that speaks the real wire formats and misbehaves on request."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal


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
    fault: Literal["reset", "silence", "drip"] | None = None
    """`reset`: RST instead of an answer. `silence`: nothing at all. `drip`: a body without end."""


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
            self._answer(reply)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, reply: Reply) -> None:
        if reply.fault == "silence":
            self.closing.wait()
        elif reply.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif reply.fault == "drip":
            self._head(reply, 10**9)
            while not self.closing.wait(0.01):
                self.wfile.write(b" ")
        else:
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self._head(reply, len(data))
            self.wfile.write(data)

    def _head(self, reply: Reply, length: int) -> None:
        self.send_response(reply.status)
        headers = {"content-type": "application/json", **reply.headers}
        for name, value in (headers | {"content-length": str(length)}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def openai_answer(
    text: str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: dict[str, Any] | None = None,
    model: str = "gpt-4o-2024-08-06",
) -> Reply:
    """Return a chat completion as OpenAI sends it; `usage` None leaves the field out."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
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
