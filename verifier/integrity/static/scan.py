"""Rules on a candidate's text. They point at what a reader should look at; they never refuse.

Python is read as a syntax tree, C++ in strings by tokens; comments and docstrings say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.rule import STATIC
from kernelwright.verifier.integrity.static.cpp import Embedded, embedded
from kernelwright.verifier.integrity.static.hits import Hit, below, hit_at
from kernelwright.verifier.integrity.static.patterns import CPP, CPP_TEXT, USES
from kernelwright.verifier.integrity.static.source import parse

EXPECTED: Mapping[str, tuple[str, ...]] = {
    "torch": ("library-call",),
    "inductor": ("library-call",),
}
"""Backend -> rules that would find what it is there for."""
MOST_HITS = 50
"""Most hits of a pattern in one piece of C++."""
SHOWN = 3
"""Places that a flag names."""


def static_flags(source: str, backend: str) -> list[Flag]:
    """Return what the text of a candidate shows: one flag per rule, with the first places.

    Args:
        source: the whole Python file. One that doesn't parse has no flags: it can't be run.
        backend: what it was written for.
    """
    candidate = parse(source)
    if candidate is None:
        return []
    pieces = list(embedded(candidate))
    mentions = list(candidate.used())
    flags = []
    for rule in STATIC:
        if rule.id in EXPECTED.get(backend, ()):
            continue
        found = {*_in_cpp(rule.id, pieces)}
        if names := USES.get(rule.id):
            found.update(hit_at(node, f"uses {p}") for node, p in mentions if below(p, names))
        if rule.check is not None:
            found.update(rule.check(candidate))
        if found:
            flags.append(flag(rule.id, places_in_words(found)))
    return flags


def _in_cpp(rule: str, pieces: Iterable[Embedded]) -> Iterator[Hit]:
    for piece in pieces:
        for patterns, text in ((CPP, piece.code), (CPP_TEXT, piece.text)):
            hits = patterns[rule].finditer(text) if rule in patterns else iter(())
            for found in islice(hits, MOST_HITS):
                what = re.sub(r"\s+", " ", found.group())[:40]
                yield Hit(piece.line_of(found.start()), f"C++ {what}")
        if rule in CPP_CHECKS and (hit := CPP_CHECKS[rule](piece.code)):
            yield Hit(piece.line_of(hit.start()), f"C++ {hit.group(1)}")


def _kept_address(code: str) -> re.Match[str] | None:
    """Find a static pointer that is compared with something other than null."""
    pointer = r"\b(?:static|thread_local)\s[^;(){}=]{0,80}\*\s*(\w+)\s*[;={]"
    for kept in islice(re.finditer(pointer, code), MOST_HITS):
        name = re.escape(kept.group(1))
        full = r"(?!(?:nullptr|NULL|0)\b)"
        if re.search(rf"\b{full}\w+\s*[!=]=\s*{name}\b|\b{name}\s*[!=]=\s*{full}\w", code):
            return kept
    return None


def _counted_calls(code: str) -> re.Match[str] | None:
    """Find a static number that is counted up and that a condition reads."""
    number = r"\bstatic\s+(?:thread_local\s+)?(?:std::atomic\s*<[\w\s:]+>|[\w:]+)\s+(\w+)\s*[;={(]"
    for kept in islice(re.finditer(number, code), MOST_HITS):
        name = re.escape(kept.group(1))
        counted = re.search(rf"\+\+\s*{name}\b|\b{name}\s*(?:\+\+|\+=)|\b{name}\.fetch_add", code)
        read = rf"\b(?:if|while|switch)\s*\([^;{{}}]{{0,200}}\b{name}\b|\b{name}\b[^;]{{0,200}}\?"
        if counted and re.search(read, code):
            return kept
    return None


CPP_CHECKS: Mapping[str, Callable[[str], re.Match[str] | None]] = {
    "memo-by-address": _kept_address,
    "phase-sniffing": _counted_calls,
}


def places_in_words(found: Iterable[Hit]) -> str:
    """Return the first places in words."""
    places = sorted(found)
    shown = [f"line {p.line}: {p.what}" for p in places[:SHOWN]]
    more = len(places) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
