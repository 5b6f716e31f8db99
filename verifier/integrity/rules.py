"""The one table of integrity rules, the flags made from it, and their reference page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.table import ALL, Kind, Rule

__all__ = ["RULES", "Rule", "flag", "reference_page"]

RULES: Mapping[str, Rule] = {rule.id: rule for rule in ALL}
"""All rules by their names."""


def flag(rule_id: str, evidence: str) -> Flag:
    """A finding of a rule.

    Raises:
        KeyError: there is no such rule.
    """
    return Flag(rule=rule_id, severity=RULES[rule_id].severity, evidence=evidence)


INTRODUCTION = """# Integrity rules

Generated from `kernelwright.verifier.integrity`. A verdict carries a flag for every rule that
found something: the rule, a severity, and the evidence in words.

| severity | what follows |
|---|---|
| `refuse` | Status `reward_hack`. Only proof does that: a measurement of what it did. |
| `suspicious` | A heuristic matched. A reader should look; the verdict stays as it is. |
| `info` | A label: something true that is no fault. |

No number of suspicious flags turns an accepted candidate into a refused one. H01 to H80 are the
catalogue's numbers of published cheats; a rule names those that it was written for, not those
that it always catches.
"""
SECTIONS: Mapping[Kind, tuple[str, str]] = {
    "static": (
        "From the text (static)",
        """Read before anything runs. Python is read as a syntax tree in which names are
followed through imports, aliases, `getattr` and constant strings; C++ in string constants is
searched by tokens. Comments and docstrings are never looked at, in either language, and a file
that does not parse has no flags. These rules see what is written, not what happens: honest code
may match them, and who hides well enough does not. Hence they never refuse.""",
    ),
    "advice": (
        "Advice from kernelguard",
        """[kernelguard](https://pypi.org/project/kernelguard/) (MIT, no dependencies) was
written for the submissions of GPU MODE's leaderboards: one `custom_kernel(data)` for each
problem, often CUDA. It is good at what was seen there: replaced timers and comparators, replayed
pointers and results, frame walks, CUDA graphs and streams, hidden `exec`. It knows neither CPU
kernels nor a judge in another process, skips C++ in strings for most of its rules, and matches
much by regular expressions, so its word is advice. It has nothing to say about the kernels of the
library; honest code that it does match is a tensor subclass used inside (grave), a half-precision
result, a cache keyed by a weight's version, and torch.compile (light). It runs in a process of
its own that reads the candidate's text and does not run it; where it is not installed, or takes
too long, there is no advice.""",
    ),
    "runtime": (
        "From running it (runtime)",
        "What the operating system and torch show while the candidate runs, and after.",
    ),
    "values": ("From its results (values)", "What the judge finds in the bytes that come back."),
    "physical": (
        "From what the machine can do (physical)",
        "Times are compared with what was measured on this machine in the same run.",
    ),
    "statistical": (
        "From the times (statistical)",
        "Whether the times can be believed. Often that says more about the machine than about the "
        "candidate.",
    ),
}


def reference_page() -> str:
    """The text of docs/reference/integrity.md."""
    return "\n".join([INTRODUCTION, *map(_section, SECTIONS)])


def _section(kind: Kind) -> str:
    title, text = SECTIONS[kind]
    rows = "\n".join(_rows(kind))
    head = "| rule | severity | what it says | why | catalogue |\n|---|---|---|---|---|"
    return f"## {title}\n\n{text}\n\n{head}\n{rows}\n"


def _rows(kind: Kind) -> Iterator[str]:
    for rule in ALL:
        if rule.kind == kind:
            cells = (f"`{rule.id}`", f"`{rule.severity}`", rule.title, rule.reason)
            yield f"| {' | '.join(cells)} | {' '.join(rule.catches)} |"
