"""Compare evaluations a minute at `fast` with another checkout's, in every sandbox, in one run.

    python -m benchmarks.versions CHECKOUT [--python PYTHON] [--repeats 60]

CHECKOUT is a clone of another version; PYTHON is an interpreter with what it needs, by default that
of its .venv. Both versions hold their workers all the time and take turns of some evaluations in a
row, so that both see the same machine; the order of a turn is drawn. Writes results/versions.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import results_file
from benchmarks.sandbox import IN_A_ROW, KERNEL, TASK, THREADS
from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.registry import SANDBOXES
from tests.honest.test_honest import PAIRS

ROOT = Path(__file__).resolve().parents[1]
RESAMPLES = 2000
# Runs on both versions, so it asks for names where they were and where they are.
DRIVER = """
import json, sys, time
from pathlib import Path
from kernelwright.sandbox.registry import open_sandbox
from kernelwright.schema import Candidate
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
try:
    from kernelwright.sandbox.machine import Machine
except ImportError:
    from kernelwright.verifier.workers import Machine
try:
    from kernelwright.agents.optimize import secret_reference as open_reference
except ImportError:
    from kernelwright.verifier.reference.reference import Reference
    open_reference = Reference.open
sandbox, threads, name, candidate, cache = sys.argv[1:]
task = load_task(name)
bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
task = task.model_copy(update={"workloads": bench})
kernel = Candidate.model_validate_json(Path(candidate).read_text())
opened = open_sandbox(sandbox)
with open_reference(task, Machine(opened, int(threads), "cpu")) as reference:
    judge = Judge(reference, Path(cache))
    for line in sys.stdin:
        taken = []
        for _ in range(int(line)):
            start = time.monotonic()
            found = judge.evaluate(kernel, "fast")
            taken.append(time.monotonic() - start)
            assert found.accepted, found.reason
        print(json.dumps(taken), flush=True)
opened.close()
"""


class Version(NamedTuple):
    """A process that evaluates with one checkout's code in one sandbox."""

    process: subprocess.Popen[str]

    def evaluate(self, count: int) -> list[float]:
        """Return the seconds that each of some evaluations took."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(count, file=self.process.stdin, flush=True)
        taken: list[float] = json.loads(self.process.stdout.readline())
        return taken


def main() -> None:
    """Measure in every sandbox that there is here, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", help="interpreter [CHECKOUT/.venv/bin/python]")
    parser.add_argument("--repeats", type=int, default=60)
    arguments = parser.parse_args()
    other = arguments.python or str(arguments.checkout / ".venv" / "bin" / "python")
    pythons = {"this": (sys.executable, ROOT), "other": (other, arguments.checkout)}
    figures = {}
    for name in SANDBOXES:
        try:
            SANDBOXES.open(name).close()
        except PrerequisiteError as error:
            print(f"no {name}: {error.message}")
            continue
        with tempfile.TemporaryDirectory() as scratch, ExitStack() as closing:
            versions = {
                which: closing.enter_context(_started(python, root, name, Path(scratch) / which))
                for which, (python, root) in pythons.items()
            }
            figures[name] = compared(
                {w: Version(p) for w, p in versions.items()}, arguments.repeats
            )
        print(name, json.dumps(figures[name]), flush=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=arguments.checkout,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    print(results_file.write("versions", {"other_commit": commit, "sandboxes": figures}, THREADS))


def _started(python: str, root: Path, sandbox: str, scratch: Path) -> subprocess.Popen[str]:
    scratch.mkdir()
    kernel = next(pair.candidate for pair in PAIRS if pair.name == KERNEL)
    (scratch / "candidate.json").write_text(kernel.model_dump_json())
    arguments = [sandbox, str(THREADS), TASK, str(scratch / "candidate.json"), str(scratch)]
    return subprocess.Popen(
        [python, "-c", DRIVER, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def compared(versions: dict[str, Version], repeats: int) -> dict[str, Any]:
    """Return both versions' medians, and the throughput of this one over the other's.

    The ratio is that of the medians; its 95% interval is bootstrapped over turns.
    """
    for version in versions.values():
        version.evaluate(IN_A_ROW)  # builds, and fills what is kept for a run
    turns: dict[str, list[list[float]]] = {which: [] for which in versions}
    for _ in range(repeats // IN_A_ROW):
        for which in random.sample(list(versions), len(versions)):
            turns[which].append(versions[which].evaluate(IN_A_ROW))
    medians = {which: statistics.median(sum(taken, [])) for which, taken in turns.items()}
    chance = np.random.default_rng(0)
    own, other = (np.asarray(turns[which]) for which in ("this", "other"))
    picks = chance.integers(0, len(own), (RESAMPLES, len(own)))
    ratios = [np.median(other[pick]) / np.median(own[pick]) for pick in picks]
    return {
        "evaluations": own.size,
        "seconds": {which: round(median, 4) for which, median in medians.items()},
        "throughput_ratio": round(medians["other"] / medians["this"], 3),
        "ci95": [round(float(end), 3) for end in np.percentile(ratios, [2.5, 97.5])],
    }


if __name__ == "__main__":
    main()
