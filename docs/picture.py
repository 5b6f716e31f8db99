"""Draw docs/optimize.svg: a real run in a terminal, by rich's own export.

python docs/picture.py [TASK]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

PICTURE = Path(__file__).with_name("optimize.svg")
COLUMNS = 110


def main() -> None:
    """Run the command, print its lines as they come, and export them."""
    task = sys.argv[1] if len(sys.argv) > 1 else "library/rope"
    command = ["kernelwright", "optimize", task, "--attempts", "3", "--target", "cpu"]
    console = Console(record=True, width=COLUMNS, highlight=True)
    console.print(f"$ {' '.join(command[:3])}", style="bold", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.stdout is not None
        for line in done.stdout:
            console.print(line.rstrip().replace(f"{folder}/", ""), markup=False, soft_wrap=False)
        assert done.wait() == 0
    console.save_svg(str(PICTURE), title="kernelwright")


if __name__ == "__main__":
    main()
