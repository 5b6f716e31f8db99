"""The sanitizers' reports, as text that a worker printed. Nothing in it can be trusted."""

from __future__ import annotations

import re
from typing import NamedTuple

from kernelwright.verifier.integrity.rule import RuleId

ADDRESS: RuleId = "address-sanitizer"
UNDEFINED: RuleId = "undefined-behaviour"
ADDRESS_ERROR = re.compile(r"ERROR: AddressSanitizer: (?P<kind>[\w-]+)")
UNDEFINED_ERROR = re.compile(r"^\S+:\d+:\d+: runtime error: (?P<what>.+)$", re.MULTILINE)
# What follows is about threads and the shadow, and names frames that have nothing to do with it.
END = re.compile(r"^(Thread T\d+.* created by|SUMMARY: )", re.MULTILINE)
ACCESS = re.compile(r"^(?:The signal is caused by a )?(READ|WRITE)(?: of size (\d+))?", re.M)
REGION = re.compile(
    r"is located (\d+) bytes (to the right of|after|to the left of|before|inside of)"
    r" (?:(\d+)-byte region \[(0x[0-9a-f]+),|global variable '(.+?)' .* of size (\d+))"
)
LOCAL = re.compile(r"'(\S+)' \(line (\d+)\) <== Memory access at offset \d+ (\w+)")
TENSOR = re.compile(r"^@tensor (.+) (0x[0-9a-f]+)$", re.MULTILINE)
SIDES = {
    "to the right of": "past the end of",
    "after": "past the end of",
    "to the left of": "before the start of",
    "before": "before the start of",
    "inside of": "into",
}
VERBS = {"READ": ": reads", "WRITE": ": writes"}
MAX_KIND = 300
# Patterns are slow on text that is made to be.
MAX_LINES, MAX_LINE = 400, 600


class Frame(NamedTuple):
    """One entry of a report's stack."""

    module: str
    """The library."""
    function: str
    file: str
    line: int


class Region(NamedTuple):
    """The memory that an access missed."""

    distance: str
    side: str
    size: str
    start: int
    """Its address; 0 for a global variable."""
    variable: str | None


class Report(NamedTuple):
    """The first error that a sanitizer complained about."""

    rule: RuleId
    kind: str
    text: str
    """The report from the complaint on."""
    before: str
    """Text that had been printed until then."""

    @property
    def frames(self) -> list[Frame]:
        """Its stacks, from the error on."""
        return [frame for line in self.text.split("\n") if (frame := _frame(line))]

    @property
    def access(self) -> str:
        """`: reads 4 bytes`; empty where it does not say."""
        match = ACCESS.search(self.text)
        if match is None:
            return ""
        size = f" {match.group(2)} bytes" if match.group(2) else ""
        return VERBS[match.group(1)] + size

    @property
    def region(self) -> Region | None:
        """The allocation or global variable next to the access."""
        match = REGION.search(self.text)
        if match is None:
            return None
        distance, side, size, start, variable, variable_size = match.groups()
        own = size or variable_size
        return Region(distance, SIDES[side], own, int(start, 16) if start else 0, variable)

    @property
    def tensors(self) -> dict[int, str]:
        """Names by address. The last word counts: addresses are used again."""
        return {int(address, 16): name for name, address in TENSOR.findall(self.before)}


def find_report(printed: str) -> Report | None:
    """Return the report in what a worker printed; None where there is none."""
    matches = [
        (match.start(), rule, match.group(1))
        for rule, pattern in ((ADDRESS, ADDRESS_ERROR), (UNDEFINED, UNDEFINED_ERROR))
        if (match := pattern.search(printed))
    ]
    if not matches:
        return None
    start, rule, kind = min(matches)
    lines = printed[start:].split("\n")[:MAX_LINES]
    text = "\n".join(line[:MAX_LINE] for line in lines)
    end = END.search(text)
    return Report(rule, kind[:MAX_KIND], text[: end.start() if end else None], printed[:start])


def _frame(line: str) -> Frame | None:
    parts = line.split("|")  # as OPTIONS in rebuild.py has it
    if len(parts) != 6 or parts[0] != "@" or not parts[4].isdecimal():
        return None
    return Frame(parts[1], parts[2], parts[3], int(parts[4]))
