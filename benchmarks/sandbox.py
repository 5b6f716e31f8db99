"""Evaluation rate and worker start in each sandbox, and leftovers of a thousand evaluations.
    python -m benchmarks.sandbox [--part throughput|start|soak]... [--repeats 20] [--soak 1000]
                                 [--sandbox NAME]...

The kernel takes about 1 ms and is built already. The usual way of this field is a fresh interpreter
for every candidate, which imports torch, loads both modules, compares five results and times a
hundred calls of each. The ways take turns of some evaluations in a row, so that all see the same
machine. Sandboxes that do not work on this machine are left out. Writes results/sandbox.json; parts
that are not run stay as stored.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results_file
from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.docker.engine import connect
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.registry import SANDBOXES
from kernelwright.schema import Limits, Task
from kernelwright.tasks.loader import effective_source, load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.start import await_start, start_worker
from tests.honest.test_honest import PAIRS

TASK, KERNEL = "matmul_bias_gelu", "matmul_bias_gelu/library-default"
THREADS = os.cpu_count() or 1
IN_A_ROW = 5
# Evaluations that fill a run's caches: inputs, expected values.
WARM_UP = 50
USUAL = """
import importlib.util, statistics, sys, time
import torch
def module(path):
    spec = importlib.util.spec_from_file_location("m" + str(abs(hash(path))), path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
reference, candidate = map(module, sys.argv[1:3])
torch.set_num_threads(int(sys.argv[3]))
def built(kind):
    torch.manual_seed(42)
    return kind(*reference.get_init_inputs())
model, new = built(reference.Model), built(candidate.ModelNew)
new.load_state_dict(model.state_dict())
def timed(run, inputs):
    for _ in range(5): run(*inputs)
    taken = []
    for _ in range(100):
        start = time.perf_counter()
        run(*inputs)
        taken.append(time.perf_counter() - start)
    return statistics.mean(taken)
with torch.no_grad():
    for seed in range(5):
        torch.manual_seed(seed)
        inputs = reference.get_inputs()
        assert torch.allclose(model(*inputs), new(*inputs), atol=1e-2, rtol=1e-2)
    print(timed(model, inputs) / timed(new, inputs))
"""


def main() -> None:
    """Run the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--soak", type=int, default=1000, help="evaluations in a row")
    names = list(SANDBOXES)
    parser.add_argument("--sandbox", action="append", choices=names, help="to soak [all]")
    arguments = parser.parse_args()
    stored = results_file.RESULTS / "sandbox.json"
    figures = json.loads(stored.read_text())["parts"] if stored.exists() else {}
    for name in arguments.part or PARTS:
        with tempfile.TemporaryDirectory() as scratch:
            kept = figures.get(name, {}) if name == "soak" else {}
            figures[name] = {**kept, **PARTS[name](Path(scratch), arguments)}
        print(name, json.dumps(figures[name], indent=1), flush=True)
        print(results_file.write("sandbox", {"parts": figures}, THREADS))


def bench_task() -> Task:
    """Return the task with its timed size only."""
    task = load_task(TASK)
    bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
    return task.model_copy(update={"workloads": bench})


@contextmanager
def opened() -> Iterator[dict[str, Sandbox]]:
    """Yield every sandbox that works on this machine, by name."""
    with ExitStack() as closing:
        found: dict[str, Sandbox] = {}
        for name in SANDBOXES:
            try:
                found[name] = SANDBOXES.open(name)
            except PrerequisiteError as error:
                print(f"no {name}: {error.message}")
                continue
            closing.callback(found[name].close)
        yield found


def throughput(scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure evaluations a minute, in every sandbox and in the usual way."""
    kernel = next(pair.candidate for pair in PAIRS if pair.name == KERNEL)
    with opened() as sandboxes, ExitStack() as references:
        ways: dict[str, Callable[[], None]] = {"usual": usual_way(scratch, kernel.source)}
        for name, sandbox in sandboxes.items():
            where = Machine(sandbox, THREADS, "cpu")
            reference = references.enter_context(Reference.open(bench_task(), where))
            judge = Judge(reference, scratch / name)
            ways[name] = lambda judge=judge: accepted(judge, kernel)  # type: ignore[misc]
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(1 + math.ceil(arguments.repeats / IN_A_ROW)):
            for name, run in ways.items():
                for _ in range(IN_A_ROW):
                    start = time.monotonic()
                    run()
                    if turn > 0:  # the first one builds and warms up
                        taken[name].append(time.monotonic() - start)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return {
        name: {
            "seconds": round(median, 3),
            "per_minute": round(60 / median, 1),
            "times_usual": round(medians["usual"] / median, 2),
        }
        for name, median in medians.items()
    }


def accepted(judge: Judge, kernel: Any) -> None:
    """Evaluate a kernel at `fast`, and check that it is accepted."""
    evaluation = judge.evaluate(kernel, "fast")
    assert evaluation.accepted, evaluation.reason


def usual_way(scratch: Path, kernel: str) -> Callable[[], None]:
    """Return a function that judges a kernel in a fresh interpreter."""
    task = bench_task()
    (scratch / "reference.py").write_text(effective_source(task, task.workloads[0]))
    (scratch / "candidate.py").write_text(kernel)
    files = [str(scratch / "reference.py"), str(scratch / "candidate.py")]
    env = {**os.environ, "TORCH_EXTENSIONS_DIR": str(scratch), "OMP_NUM_THREADS": str(THREADS)}

    def run() -> None:
        command = [sys.executable, "-c", USUAL, *files, str(THREADS)]
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)

    return run


def start(_scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the milliseconds until a worker's first answer, for a sandbox's first and later."""
    found = {}
    for name in SANDBOXES:
        with opened() as sandboxes:
            if name not in sandboxes:
                continue
            where = Machine(sandboxes[name], THREADS, "cpu")
            first, *later = [answered_ms(where) for _ in range(arguments.repeats + 1)]
        found[name] = {
            "cold_ms": round(first),
            "warm_median_ms": round(statistics.median(later), 1),
            "warm_slowest_ms": round(max(later), 1),
        }
    return found


def answered_ms(where: Machine) -> float:
    """Return the milliseconds until a new worker's first answer.

    Then wait, so that the sandbox can prepare the next enclosure, as it can beside a judge.
    """
    begin = time.perf_counter()
    client = start_worker(where, Limits())
    await_start(client)
    taken = (time.perf_counter() - begin) * 1e3
    client.process.kill()
    time.sleep(1.0)
    return taken


def soak(scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Count the leftovers of a thousand evaluations, and measure the growth of memory."""
    kernel = next(pair.candidate for pair in PAIRS if pair.name == KERNEL)
    found = {}
    with opened() as sandboxes:
        for name, sandbox in sandboxes.items():
            if name not in (arguments.sandbox or SANDBOXES):
                continue
            where = Machine(sandbox, THREADS, "cpu")
            with Reference.open(bench_task(), where) as reference:
                judge = Judge(reference, scratch / name)
                for _ in range(WARM_UP):
                    accepted(judge, kernel)
                before, memory = left(name), []
                for _ in range(arguments.soak):
                    accepted(judge, kernel)
                    memory.append(resident_mib())
                found[name] = {
                    "evaluations": arguments.soak,
                    "left": {what: left(name)[what] - count for what, count in before.items()},
                    "mib_per_thousand": round(slope(memory) * 1000, 2),
                }
    return found


def left(name: str) -> dict[str, int]:
    """Count this process's resources that could pile up, by kind."""
    mine = f"kernelwright-*-{os.getpid()}-*"
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "children": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "threads": len(os.listdir("/proc/self/task")),
        "files": len(list(Path(tempfile.gettempdir()).glob(mine))),
        "shared_memory": len(os.listdir("/dev/shm")),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "groups": sum(1 for _ in Path("/sys/fs/cgroup").glob(f"**/{mine}")),
        "containers": containers() if name == "docker" else 0,
    }


def containers() -> int:
    """Count the containers of this process, running or not."""
    client = connect()
    names = [str(one.name) for one in client.containers.list(all=True, ignore_removed=True)]
    client.close()
    return sum(f"-{os.getpid()}-" in name for name in names)


def resident_mib() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(values: list[float]) -> float:
    """Return the growth per value, by least squares over the second half."""
    half = values[len(values) // 2 :]
    return float(np.polyfit(range(len(half)), half, 1)[0])


PARTS: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "throughput": throughput,
    "start": start,
    "soak": soak,
}


if __name__ == "__main__":
    main()
