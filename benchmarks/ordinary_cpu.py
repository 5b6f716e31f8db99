"""Finds of `offline` on ordinary modules: those of `tests/uses/modules`, none of the library's.

    python -m benchmarks.ordinary_cpu [--part proposals|speed]... [--other CHECKOUT] [--attempts 4]

`proposals` counts those for which kernels are proposed, by tracing alone. `speed` optimizes eleven
of them, and does so with another checkout's code too (its .venv is used); what was measured stays.
Writes results/ordinary_cpu.json; `speed` needs a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks import generality, results_file
from tests.uses.corpus import MODULES, modules

PARTS = ("proposals", "speed")
CHOSEN = (
    "swiglu_block", "group_norm_silu", "masked_attention", "pre_norm_block", "lstm_cell",
    "conv_bn_relu", "embedding_bag_norm", "rms_norm", "gated_residual_norm", "geglu", "film",
)  # fmt: skip


def main() -> None:
    """Measure the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--other", type=Path, help="a clone of another version")
    parser.add_argument("--attempts", type=int, default=4)
    arguments = parser.parse_args()
    stored = results_file.RESULTS / "ordinary_cpu.json"
    figures: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    parts = {name: figures[name] for name in PARTS if name in figures}

    def keep() -> None:
        print(results_file.write("ordinary_cpu", parts, os.cpu_count() or 1))

    if "proposals" in (arguments.part or PARTS):
        rows = [{"task": path.stem, **generality.proposal(path.read_text())} for path in modules()]
        parts["proposals"] = {"share": generality.share(rows), "rows": rows}
        keep()
    if "speed" in (arguments.part or PARTS):
        part = parts.setdefault("speed", {"attempts": arguments.attempts, "rows": []})
        tasks = [(MODULES / f"{name}.py", {}) for name in CHOSEN]
        generality.measure_speed(part, tasks, arguments.other, keep)
    for name, part in parts.items():
        print(name, {key: value for key, value in part.items() if key != "rows"})


if __name__ == "__main__":
    main()
