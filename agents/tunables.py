"""Numbers that a file declares as tunable: what may stand in their place, and putting it there.

`// tune: TILE 8 16 32` right above `#define TILE 16` or `constexpr int TILE = 16;` in C++ or CUDA,
`# tune: BLOCK 64 128` right above `BLOCK = 128` in Python; neither line is indented. One wrong or
ambiguous declaration makes a file one without any: numbers are never put in a doubtful place.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kernelwright.schema import Scalar, digest

Number = int | float
Point = tuple[tuple[str, Scalar], ...]
"""A number for each name, in the order of the file."""
MOST_TUNABLES, MOST_POINTS = 6, 200
KNOWN_FILES = 1_000
NUMBER = r"(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?"
_ANY = re.compile(r"^[ \t]*(?://|#)[ \t]*tune[ \t]*:", re.M | re.I)
_DECLARATION = re.compile(rf"^(//|#) tune: ([A-Za-z_]\w*)((?: {NUMBER})+)[ \t\r]*\n", re.M)
_NATIVE_END = r"[ \t]*(?://.*|/\*.*\*/[ \t]*)?\r?$"
_DEFINITION = {
    "//": rf"^(?:#define[ \t]+NAME[ \t]+({NUMBER})"
    rf"|(?:(?:static|inline)[ \t]+)*constexpr[ \t]+[\w: \t]+[ \t]NAME[ \t]*=[ \t]*({NUMBER})"
    rf"[ \t]*;){_NATIVE_END}",
    "#": rf"^NAME(?:[ \t]*:[ \t]*[\w.]+)?[ \t]*=[ \t]*({NUMBER})[ \t]*(?:#.*)?\r?$",
}
"""A line that defines NAME as a number, by the sign of the comment above it."""
_BINDING = {
    "//": r"^(?:[ \t]*#[ \t]*define[ \t]+NAME\b"
    r"|[^\n]{0,200}\bconstexpr\b[^;\n]{0,200}\bNAME[ \t]*(?:{|=(?!=)))",
    "#": r"^NAME[ \t]*(?::[^=\n]*)?[-+*/%|&^@<>]*=(?!=)",
}
"""A line that gives NAME a value, as a number or not."""


class Tunable(NamedTuple):
    """A number of a file that may be another."""

    name: str
    values: tuple[Number, ...]
    """The numbers that it may be, smallest first."""
    now: Number
    """The number that it is, one of them."""
    span: tuple[int, int]
    """The place of its text in the file."""


@functools.lru_cache(KNOWN_FILES)
def tunables(source: str) -> tuple[Tunable, ...]:
    """Return what a file declares as tunable, in its order.

    Nothing where a line that begins like a declaration is none, a name is declared or defined
    twice (`#define` under `#ifndef` of the same name is a default and no definition), a value is
    repeated or not written as Python would, the number that stands there is not among the values,
    or there are more than MOST_TUNABLES names or MOST_POINTS combinations.
    """
    lines = list(_DECLARATION.finditer(source))
    if not lines or len(lines) > MOST_TUNABLES or len(lines) != len(_ANY.findall(source)):
        return ()
    found = [_read(source, line) for line in lines]
    sound = [one for one in found if one is not None]
    names = {one.name for one in sound}
    if len(names) < len(found) or math.prod(len(one.values) for one in sound) > MOST_POINTS:
        return ()
    return tuple(sound)


def point_of(source: str) -> Point:
    """Return the numbers that stand in a file."""
    return tuple((one.name, one.now) for one in tunables(source))


def with_numbers(source: str, point: Point) -> str:
    """Return a file with other numbers for the names of a point, which are all that it declares."""
    numbers = dict(point)
    for one in reversed(tunables(source)):
        start, end = one.span
        source = f"{source[:start]}{numbers[one.name]!r}{source[end:]}"
    return source


def family(source: str) -> str:
    """Return a digest of a file that is the same whatever its tunable numbers are."""
    for one in reversed(tunables(source)):
        source = f"{source[: one.span[0]]}?{source[one.span[1] :]}"
    return digest(source)


def declared(source: str, name: str, values: Sequence[Number]) -> str:
    """Return a file that also declares a name of its own; the same file where that is not sound."""
    written = " ".join(map(repr, values))
    for sign in _DEFINITION:
        places = list(_bindings(source, sign, name))
        if len(places) == 1:
            start = places[0]
            more = f"{source[:start]}{sign} tune: {name} {written}\n{source[start:]}"
            if name in dict(point_of(more)):
                return more
    return source


def _read(source: str, line: re.Match[str]) -> Tunable | None:
    sign, name, texts = line[1], line[2], line[3].split()
    defined = _lines_of(_DEFINITION[sign], name).match(source, line.end())
    numbers = {text: float(text) if "." in text else int(text) for text in texts}
    # A number is put back as Python writes it, and has to be found again.
    is_plain = all(repr(number) == text for text, number in numbers.items())
    others = [place for place in _bindings(source, sign, name) if place != line.end()]
    if defined is None or others or not is_plain or not 2 <= len(numbers) == len(texts):
        return None
    group = defined.lastindex or 1
    if defined[group] not in numbers:
        return None
    values = tuple(sorted(numbers.values()))
    return Tunable(name, values, numbers[defined[group]], defined.span(group))


def _bindings(source: str, sign: str, name: str) -> Iterator[int]:
    """Yield the places where a name gets a value, without defaults under `#ifndef`."""
    guard = re.compile(rf"#ifndef[ \t]+{name}\b")
    for found in _lines_of(_BINDING[sign], name).finditer(source):
        above = source.rfind("\n", 0, max(0, found.start() - 1)) + 1
        if not guard.match(source, above):
            yield found.start()


def _lines_of(pattern: str, name: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("NAME", name), re.M)
