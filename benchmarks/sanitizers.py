"""Every library kernel under the sanitizers, a line each; exit code 1 where one has a finding.

    python benchmarks/sanitizers.py [TASK ...]

Each kernel is the offline optimizer's candidate for a library task, at both sizes for a CPU. The
seconds are those that the rule adds to an evaluation at level `strict`: a worker of its own, the
rebuild, and two calls per workload. Writes results/sanitizers.json when all tasks ran.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

import results_file

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.trace import trace
from kernelwright.kernels.catalog import LIBRARIES
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Candidate, Flag, Origin
from kernelwright.tasks.loader import library_ids, load_task
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer.asan import sanitized_inputs, sanitizer_flags


def main() -> int:
    """Run the sanitizers, print the findings and store them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    chosen: Sequence[str] = parser.parse_args().tasks or library_ids()
    threads = os.cpu_count() or 1
    machine = Machine(ProcessSandbox(), threads, "cpu")
    rows: dict[str, dict[str, object]] = {}
    for identity in chosen:
        seconds, flags = checked(identity, machine)
        said = [f"{flag.rule}: {flag.evidence}" for flag in flags]
        rows[identity] = {"seconds": round(seconds, 1), "flags": said}
        print(f"{identity:32} {seconds:5.1f} s  {'; '.join(said) or 'clean'}", flush=True)
    machine.sandbox.close()
    if len(chosen) == len(library_ids()):
        print(results_file.write("sanitizers", {"kernels": rows}, threads))
    return int(any(row["flags"] for row in rows.values()))


def checked(identity: str, machine: Machine) -> tuple[float, list[Flag]]:
    """Return the seconds that the sanitizers took, and their findings."""
    task = load_task(identity)
    with Reference(task, machine, seed=0) as reference:
        arguments, graph = forward_arguments(task.source), trace(reference, print)
        assert graph is not None and arguments is not None, identity
        plan = design(graph, arguments, LIBRARIES["cpp"])
        source = library_candidate(task.source, f"Kernels for {identity}.", plan, {})
        candidate = Candidate(source=source, backend="cpp", origin=Origin(kind="offline"))
        inputs = [sanitized_inputs(reference.prepare(one)) for one in reference.workloads()]
        start = time.monotonic()
        flags = sanitizer_flags(candidate, reference, inputs)
        return time.monotonic() - start, flags


if __name__ == "__main__":
    sys.exit(main())
