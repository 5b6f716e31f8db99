"""Thoughts that a server leaves in the text, between `<think>` and `</think>` at its beginning."""

from __future__ import annotations

from typing import Literal

OPEN, CLOSE = "<think>", "</think>"


class Thoughts:
    """A filter that keeps thoughts out of a text that comes in pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._state: Literal["start", "thought", "gap", "text"] = "start"

    def visible(self, piece: str) -> str:
        """Return what is visible of a piece, and of what was held back before it.

        Text is held back as long as it may be the beginning of a tag.
        """
        self._held += piece
        if self._state == "start":
            begun = self._held.lstrip()
            if len(begun) < len(OPEN) and OPEN.startswith(begun):
                return ""
            self._state = "thought" if begun.startswith(OPEN) else "text"
        if self._state == "thought":
            _, closed, after = self._held.partition(CLOSE)
            # Only the beginning of a closing tag has to be kept.
            self._held = after if closed else self._held[-len(CLOSE) + 1 :]
            self._state = "gap" if closed else "thought"
        if self._state == "gap":
            self._held = self._held.lstrip()
            self._state = "text" if self._held else "gap"
        return self.end() if self._state == "text" else ""

    def end(self) -> str:
        """Return what is still held back and no thought: the text is at its end."""
        held, self._held = self._held, ""
        return "" if self._state == "thought" else held


def without_thoughts(text: str) -> str:
    """Return a whole text without the thoughts at its beginning."""
    thoughts = Thoughts()
    return thoughts.visible(text) + thoughts.end()


def without_unopened(text: str) -> str:
    """Return a text without thoughts whose opening tag stood in the server's own prompt."""
    _, closed, after = text.partition(CLOSE)
    return after.lstrip() if closed else text
