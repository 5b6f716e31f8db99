"""A second opinion on a candidate's text from the `kernelguard` package. Advice, never proof."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.catalog import flag

PACKAGE = "kernelguard"
# Its regular expressions can take for ever on a text that is made for it, so it gets a process of
# its own and not much time. -P: what lies in the current folder must not be imported instead.
COMMAND = (
    sys.executable,
    "-P",
    "-X",
    "utf8",
    "-m",
    PACKAGE,
    "--profile",
    "sol-execbench",
    "--api-mode",
)
TIMEOUT_S = 10.0
SUSPICIOUS = ("critical", "high")


def advice_flags(source: str) -> list[Flag]:
    """Return what kernelguard says of a candidate, a flag per rule; nothing without the package.

    The candidate is read, not run.
    """
    if find_spec(PACKAGE) is None:
        return []
    matches = {match["pattern"]: match for match in _matches(source)}
    return [_flag(matches[name]) for name in sorted(matches)]


def _matches(source: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(
            COMMAND,
            input=source,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["matched_patterns"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return []
    return found


def _flag(match: dict[str, Any]) -> Flag:
    made = flag("kernelguard", f"{match['pattern']} ({match['severity']}): {match['evidence']}")
    grave = match["severity"] in SUSPICIOUS
    return made if grave else made.model_copy(update={"severity": "info"})
