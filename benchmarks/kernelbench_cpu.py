"""Finds of `offline` on KernelBench's levels 1 and 2, at sizes for a CPU.

    python -m benchmarks.kernelbench_cpu KERNELBENCH [--part proposals|speed]...
                                         [--other CHECKOUT] [--attempts 4] [--problems 24]

KERNELBENCH is a clone of github.com/ScalingIntelligence/KernelBench; only figures are stored.
`proposals` counts problems for which kernels are proposed, by tracing alone. `speed` optimizes
problems that a seed draws, half of each level, with sizes that were halved until inputs, outputs
and parameters take at most 64 MB, and does so with another checkout's code too (its .venv is used);
what was measured stays. Writes results/kernelbench_cpu.json; `speed` needs a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

from benchmarks import generality, results_file
from kernelwright.tasks.suite import suite_files

PARTS = ("proposals", "speed")
LEVELS = ("level1", "level2")
SEED = 20_261_201
MOST_BYTES = 64 * 10**6


def main() -> None:
    """Measure the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernelbench", type=Path)
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--other", type=Path, help="a clone of another version")
    parser.add_argument("--attempts", type=int, default=4)
    parser.add_argument("--problems", type=int, default=24)
    arguments = parser.parse_args()
    stored = results_file.RESULTS / "kernelbench_cpu.json"
    figures: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    parts = {name: figures[name] for name in PARTS if name in figures}
    files = {level: suite_files(arguments.kernelbench / "KernelBench" / level) for level in LEVELS}

    def keep() -> None:
        print(results_file.write("kernelbench_cpu", parts, os.cpu_count() or 1))

    if "proposals" in (arguments.part or PARTS):
        found = {
            level: [{"task": p.stem, **generality.proposal(p.read_text())} for p in paths]
            for level, paths in files.items()
        }
        shares = {level: generality.share(rows) for level, rows in found.items()}
        parts["proposals"] = {"share": shares, "rows": found}
        keep()
    if "speed" in (arguments.part or PARTS):
        part = parts.setdefault("speed", {"attempts": arguments.attempts, "seed": SEED, "rows": []})
        chance = random.Random(SEED)
        drawn = [
            path
            for level in LEVELS
            for path in chance.sample(files[level], arguments.problems // len(LEVELS))
        ]
        tasks = [(path, generality.fitted(path.read_text(), MOST_BYTES)) for path in drawn]
        generality.measure_speed(part, tasks, arguments.other, keep)
    for name, part in parts.items():
        print(name, {key: value for key, value in part.items() if key != "rows"})


if __name__ == "__main__":
    main()
