"""Draw docs/run.svg: a run of `kernelwright optimize`, with the words that it printed.

    python docs/picture.py [TASK] [--log FILE]

The run is a real one, made now; FILE gets its text. The folder of results is a temporary one, and
its path is shown without what lies above it.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "run.svg"
WIDTH = 104
COMMAND = (sys.executable, "-m", "kernelwright", "optimize")
PROGRESS = re.compile(r"\[ *[\d.]+s\]")
WIN = re.compile(r"Faster than|the speed of|it is faster")


def main() -> None:
    """Run the command, and draw what it printed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", nargs="?", default="rope")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args()
    lines = printed(arguments.task)
    if arguments.log:
        arguments.log.write_text("\n".join(lines) + "\n")
    PICTURE.write_text(drawn(arguments.task, lines))
    print(PICTURE)


def printed(task: str) -> list[str]:
    """Return the lines of a run, of both streams as they came."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "KERNELWRIGHT_STORE": f"{folder}/runs.db", "NO_COLOR": "1"}
        done = subprocess.run(
            [*COMMAND, task, "--out", f"{folder}/{Path(task).stem}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=env,
            text=True,
            check=True,
        )
    return done.stdout.replace(f"{folder}/", "runs/").rstrip().splitlines()


def drawn(task: str, lines: list[str]) -> str:
    """Return the picture as SVG."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (f"kernelwright optimize {task}", "bold")))
    for line in lines:
        style = "dim" if PROGRESS.match(line) else "green" if WIN.search(line) else ""
        console.print(Text(line, style=style))
    return console.export_svg(title="kernelwright")


if __name__ == "__main__":
    main()
