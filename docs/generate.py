"""Write the generated pages of docs/reference, and print the table of the audit's rules.

Run `python docs/generate.py`. A test compares the pages with what this makes of the code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from kernelwright.config import Settings
from kernelwright.verifier.audit.catalog import RULES as AUDIT_RULES
from kernelwright.verifier.integrity.catalog import ALL
from kernelwright.verifier.integrity.rule import Kind

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
COMMANDS = (
    (),
    ("optimize",),
    ("verify",),
    ("compile",),
    ("bench",),
    ("export",),
    ("tasks",),
    ("tasks", "list"),
    ("tasks", "show"),
    ("tasks", "audit"),
    ("runs",),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "report"),
    ("runs", "resume"),
    ("runs", "hint"),
    ("runs", "graph"),
    ("sandbox",),
    ("sandbox", "check"),
    ("sandbox", "build"),
    ("cache",),
    ("cache", "show"),
    ("cache", "clean"),
    ("config", "show"),
    ("doctor",),
    ("demo",),
)


def command_page() -> str:
    """Return the help text of every command as one page."""
    parts = ["# Commands\n\nGenerated from `--help`.\n"]
    script = (
        "from kernelwright.cli.app import app; import sys; "
        "app(args=sys.argv[1:], prog_name='kernelwright')"
    )
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", script, *command, "--help"],
            env={**os.environ, "COLUMNS": "96", "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        text = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
        parts.append(f"## {' '.join(('kernelwright', *command))}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def settings_page() -> str:
    """Return the table of all settings."""
    lines = [
        "# Settings\n",
        "Generated from `kernelwright.config.Settings`. A value comes from the flag, else from",
        "`KERNELWRIGHT_NAME`, else from `./kernelwright.toml`, else from the user's",
        "`~/.config/kernelwright/config.toml`, else it is the default. Unknown keys are errors.\n",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory else f"`{field.default}`"
        meaning = re.sub(r"\s+", " ", field.description or "")
        lines.append(f"| `{name}` | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


INTRODUCTION = """# Integrity rules

Generated from `kernelwright.verifier.integrity`. A verdict carries a flag for every rule that
found something: the rule, a severity, and the evidence in words.

| severity | what follows |
|---|---|
| `refuse` | Status `reward_hack` (uses: that of the error). Only proof does that: a measurement. |
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
    "uses": (
        "From what its user may do with it (uses)",
        "What it does outside of the task's own inputs, and whether it needs the original forward "
        "there or within. The judge tries that at `standard` and `strict`.",
    ),
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


def integrity_page() -> str:
    """Return the tables of the integrity rules, by what they look at."""
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


def audit_table() -> str:
    """Return the rules of the task audit as docs/guides/tasks.md has them."""
    rows = [f"| `{r.id}` | {r.severity} | {r.title} | {r.reason} |" for r in AUDIT_RULES]
    return "\n".join(["| rule | severity | finding | why |", "|---|---|---|---|", *rows])


PAGES: Mapping[str, Callable[[], str]] = {
    "cli": command_page,
    "settings": settings_page,
    "integrity": integrity_page,
}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(make())
    print(audit_table())
