"""The front for Python: the import, the export of ordinary modules, and what a live module adds.

    python -m benchmarks.live [--repeats N]

- `import_ms`: `import kernelwright` in fresh interpreters, less an empty one: median.
- `export`: the modules of the corpus of uses, each written as a task and compared with itself: how
  many can be, and the seconds of each but the first, which loads the exporter.
- `added_s`: what `optimize(module, args)` does besides the run of the written file, in fresh
  interpreters: before it (checks, export, comparison; with what they import) and after it (the file
  in front of the module, three uses). The module is one that the library has a kernel for.

Writes results/live.json. Needs a machine that is otherwise quiet, and takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import results_file
from kernelwright.errors import UsageError
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import checked_task
from kernelwright.tasks.export.program import require_exportable
from tests.uses.corpus import modules

THREADS = os.cpu_count() or 1


class Gate(nn.Module):
    """A chain of elementwise operators with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(1024))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.nn.functional.silu(x) + self.bias) * x


def main() -> int:
    """Measure all three and store them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one_run(given.one[0], Path(given.one[1]))))
        return 0
    figures = {
        "import_ms": round(import_ms(given.repeats), 1),
        "export": exported(),
        "added_s": added(given.repeats),
    }
    print(json.dumps(figures, indent=1))
    results_file.write("live", figures, THREADS)
    return 0


def import_ms(repeats: int) -> float:
    """Return the milliseconds that the import adds to an interpreter."""

    def median(code: str) -> float:
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times)

    return median("import kernelwright") - median("pass")


def exported() -> dict[str, Any]:
    """Return how many modules are written and equal, why others are not, and the times."""
    seconds, refused = [], {}
    for path in modules():
        names = runpy.run_path(str(path))
        torch.manual_seed(0)
        module = names["Model"](*names["get_init_inputs"]())
        start = time.perf_counter()
        try:
            write(module, tuple(names["get_inputs"]()))
        except UsageError as error:
            refused[path.stem] = error.message
        seconds.append(time.perf_counter() - start)
    return {
        "modules": len(seconds),
        "written": len(seconds) - len(refused),
        "refused": refused,
        "first_s": round(seconds[0], 2),
        "median_s": round(statistics.median(seconds[1:]), 3),
        "longest_s": round(max(seconds[1:]), 2),
    }


def write(module: nn.Module, args: tuple[Any, ...]) -> None:
    """Do all that comes before a run."""
    require_exportable(module)
    form = CallForm(module.forward, args, {})
    checked_task(module, form)


def added(repeats: int) -> dict[str, float | None]:
    """Return the seconds before and after a run; None where the run found nothing."""
    with tempfile.TemporaryDirectory() as folder:
        first = _in_own_process("", folder)
        times = [_in_own_process(first["run"], folder) for _ in range(repeats)]
    before = round(statistics.median(one["before_s"] for one in times), 2)
    known = [one["after_s"] for one in times if one["found"]]
    return {"before": before, "after": round(statistics.median(known), 2) if known else None}


def _in_own_process(run: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.live", "--one", run, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def one_run(run: str, folder: Path) -> dict[str, Any]:
    """Run it, or take up a run that is done; return its id and the seconds of both parts."""
    from kernelwright.config import load_settings
    from kernelwright.live import optimize as front

    module, x = Gate().eval(), torch.randn(64, 1024)
    places: dict[str, Any] = {
        "store": str(folder / "db"),
        "out": folder / "runs",
        "backends": ["cpp"],
    }
    settings = load_settings({**places, "attempts": 1}).settings
    start = time.perf_counter()
    given = front.given_module(module, (x,), {}, settings)
    before = time.perf_counter() - start
    found = front.optimize(module, (x,), run=run or None, attempts=1, **places)
    start = time.perf_counter()
    live = front.live_module(given, found.file)
    after = time.perf_counter() - start
    has_path = live.fast is not None
    return {"run": found.run_id, "before_s": before, "after_s": after, "found": has_path}


if __name__ == "__main__":
    raise SystemExit(main())
