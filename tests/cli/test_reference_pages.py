"""docs/reference is generated: `UPDATE_GOLDEN=1 pytest tests/cli` writes it, CI compares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright.config import Settings
from tests.cli.kit import ROOT

PAGES = ROOT / "docs" / "reference"
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
    ("sandbox",),
    ("sandbox", "check"),
    ("sandbox", "build"),
    ("config", "show"),
    ("doctor",),
    ("demo",),
)


def command_page() -> str:
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


@pytest.mark.parametrize(("name", "make"), [("cli", command_page), ("settings", settings_page)])
def test_reference_pages_are_current(name: str, make: object) -> None:
    assert callable(make)
    page: Path = PAGES / f"{name}.md"
    text = make()
    if os.environ.get("UPDATE_GOLDEN"):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    assert page.read_text() == text, "run UPDATE_GOLDEN=1 pytest tests/cli"
