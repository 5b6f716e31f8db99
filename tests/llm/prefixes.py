"""A provider's prompt cache: it counts the tokens at the beginning that it has seen before."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.llm.loopback import Asked

BYTES_PER_TOKEN = 4
LOOKED_BACK = 20
"""Blocks before a mark among which Anthropic looks for what it has."""


class Counted(NamedTuple):
    """Tokens of a request."""

    tokens: int
    cached: int
    """Tokens that were in the cache."""
    written: int
    """Tokens that were written to it, where that is billed."""


class Beginning(NamedTuple):
    """The beginning of a prompt that ends at a mark."""

    text: str
    blocks: int


class PrefixCache:
    """The cache of one provider.

    OpenAI's finds any beginning that it was sent, from 1,024 tokens on, in steps of 128.
    Anthropic's finds what ended at a mark (`cache_control`) before, at most 20 blocks ahead of a
    mark.

    Args:
        least: tokens that Anthropic's caches at least, 512 or 1,024 by the model.
    """

    def __init__(self, least: int = 512) -> None:
        self._least = least
        self._seen: list[Beginning] = []

    def counted(self, asked: Asked) -> Counted:
        """Count the tokens of a request, and keep it."""
        body = asked.body
        if asked.path.endswith("/messages"):
            return self._marked(body)
        text = _text(body.get("tools"), *body.get("messages", body.get("input", ())))
        common = (_common(text, seen.text) for seen in self._seen)
        longest = max(common, default=0) // BYTES_PER_TOKEN
        self._seen.append(Beginning(text, 0))
        cached = longest - longest % 128
        return Counted(len(text) // BYTES_PER_TOKEN, cached if cached >= 1024 else 0, 0)

    def _marked(self, body: dict[str, Any]) -> Counted:
        system = body.get("system", [])
        unmarked = [{k: v for k, v in block.items() if k != "cache_control"} for block in system]
        start = Beginning(_text(body.get("tools"), *unmarked), len(system))
        messages = body["messages"]
        blocks = sum(len(m["content"]) if isinstance(m["content"], list) else 1 for m in messages)
        whole = Beginning(start.text + _text(*messages), start.blocks + blocks)
        marks = [start] if any("cache_control" in block for block in system) else []
        marks += [whole] if "cache_control" in body else []
        marks = [mark for mark in marks if len(mark.text) >= self._least * BYTES_PER_TOKEN]
        known = [
            len(seen.text)
            for mark in marks
            for seen in self._seen
            if mark.text.startswith(seen.text) and mark.blocks - seen.blocks <= LOOKED_BACK
        ]
        cached = max(known, default=0) // BYTES_PER_TOKEN
        end = max((len(mark.text) for mark in marks), default=0) // BYTES_PER_TOKEN
        self._seen += marks
        return Counted(len(whole.text) // BYTES_PER_TOKEN, cached, max(0, end - cached))


def _text(*items: object) -> str:
    return "".join(json.dumps(item) for item in items)


def _common(left: str, right: str) -> int:
    places = (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
    return next(places, min(len(left), len(right)))
