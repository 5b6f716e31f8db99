"""A provider's prompt cache: it counts the tokens at the beginning that it has seen before."""

from __future__ import annotations

import json
from typing import Any

from tests.llm.loopback import Asked

BYTES_PER_TOKEN = 4


class PrefixCache:
    """The cache of one provider.

    OpenAI's finds any beginning that it was sent, from 1,024 tokens on, in steps of 128.
    Anthropic's finds what ended at a mark (`cache_control`) before, from 512 tokens on.
    """

    def __init__(self) -> None:
        self._seen: list[str] = []

    def counted(self, asked: Asked) -> tuple[int, int]:
        """Return the tokens of a request, and those of them that were in the cache; keep it."""
        body = asked.body
        if asked.path.endswith("/messages"):
            return self._marked(body)
        text = _text(body.get("tools"), *body.get("messages", body.get("input", ())))
        longest = max((_common(text, seen) for seen in self._seen), default=0) // BYTES_PER_TOKEN
        self._seen.append(text)
        cached = longest - longest % 128
        return len(text) // BYTES_PER_TOKEN, cached if cached >= 1024 else 0

    def _marked(self, body: dict[str, Any]) -> tuple[int, int]:
        system = body.get("system", [])
        unmarked = [{k: v for k, v in block.items() if k != "cache_control"} for block in system]
        start = _text(body.get("tools"), *unmarked)
        whole = start + _text(*body["messages"])
        found = max((len(seen) for seen in self._seen if whole.startswith(seen)), default=0)
        if any("cache_control" in block for block in system):
            self._seen.append(start)
        if "cache_control" in body:
            self._seen.append(whole)
        cached = found // BYTES_PER_TOKEN
        return len(whole) // BYTES_PER_TOKEN, cached if cached >= 512 else 0


def _text(*items: object) -> str:
    return "".join(json.dumps(item) for item in items)


def _common(left: str, right: str) -> int:
    places = (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
    return next(places, min(len(left), len(right)))
