"""Storage of a benchmark's result with its conditions: machine, versions, commit, date."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from kernelwright.batch.provenance import git_state, package_versions
from kernelwright.verifier.environment import environment

RESULTS = Path(__file__).parent / "results"


def write(name: str, figures: dict[str, Any], threads: int) -> Path:
    """Write `results/<name>.json` and return its path."""
    commit, dirty = git_state(but="benchmarks/results")
    document = {
        "benchmark": name,
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "dirty": dirty,
        "packages": package_versions(),
        "environment": environment(threads, "cpu"),
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
