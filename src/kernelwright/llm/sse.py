"""Server-sent events, the form that providers stream answers in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

CONTENT_TYPE = "text/event-stream"
_END = b"[DONE]"


def event_data(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the data of each event, until the stream ends or says `[DONE]`.

    As the standard of the format has it, comments and other fields are skipped, and an event that
    the end of the stream cuts off is none. Lines end in LF or CRLF.
    """
    rest, data = b"", list[bytes]()
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line.removeprefix(b"data:").strip(b" \r"))
            elif line.strip(b"\r"):
                continue
            elif data == [_END]:
                return
            elif data:
                yield b"\n".join(data).decode(errors="replace")
                data = []
