"""Compiler and interpreter output trimmed to what a reader (or a model) needs."""

from __future__ import annotations

import re

MAX_CHARACTERS = 1400
MAX_LINE = 1500
CUT = "\n[...]"
TRACEBACK = "Traceback (most recent call last):"
# gcc and clang: file:line[:column]: error: text; nvcc: file(line): error: text; and its parts
ERROR_LINE = re.compile(
    r"^\S.*:\d+(:\d+)?: (fatal )?error: |^\S.*\(\d+\): (catastrophic )?error( #[\w-]+)?: "
    r"|^(ptxas|nvcc|nvlink) (error|fatal)\s*: "
)
LINK_ERROR = re.compile(r"undefined reference to|cannot find -l|multiple definition of")
# Files that a worker is given, as opposed to its own and to installed ones.
OWN_FRAME = re.compile(r'File "[^"]*/(candidate|reference\w*)\.py"')
PATHS = re.compile(r"/\S*/(?=[\w.+-]+)")


def trim_compiler_output(text: str) -> str:
    """Return the first errors with the source line below each; empty without an error line."""
    lines = [line[:MAX_LINE] for line in text.splitlines()]
    kept: list[str] = []
    for index, line in enumerate(lines):
        if ERROR_LINE.match(line) or LINK_ERROR.search(line):
            kept.append(PATHS.sub("", line))
            kept += [below for below in lines[index + 1 : index + 3] if _is_excerpt(below)]
    return _capped("\n".join(kept))


def trim_traceback(text: str) -> str:
    """Return a compiler's errors, or else the exception and the candidate's own frames."""
    compiler = trim_compiler_output(text)
    if compiler:
        return compiler
    start = text.rfind(TRACEBACK)
    if start < 0:
        return _capped(text.strip())
    lines = [line[:MAX_LINE] for line in text[start:].splitlines()[1:]]
    frames, final = _split_frames(lines)
    own = [frame for frame in frames if OWN_FRAME.search(frame)] or frames[-1:]
    return _capped(PATHS.sub("", "\n".join([*final, *own[-4:]])))


def _is_excerpt(line: str) -> bool:
    # gcc has a bar between line number and text, nvcc only an indent.
    return bool(re.match(r"^\s*(\d+\s)?\s*\||^\s+\S", line))


def _split_frames(lines: list[str]) -> tuple[list[str], list[str]]:
    frames: list[str] = []
    for index, line in enumerate(lines):
        if line.startswith("  File "):
            frames.append(line)
        elif line.startswith("    ") and frames:
            frames[-1] += "\n" + line
        else:
            return frames, lines[index:]
    return frames, []


def is_explained(text: str) -> bool:
    """Whether the text says what went wrong: it has a traceback or a compiler's error."""
    return TRACEBACK in text or bool(trim_compiler_output(text))


def _capped(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[: MAX_CHARACTERS - len(CUT)] + CUT
