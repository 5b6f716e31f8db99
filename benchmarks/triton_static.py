"""Correctness and compile-time facts of the library's Triton kernels, without a GPU.

    python -m benchmarks.triton_static [--task NAME]...

Values are compared at level `fast` with Triton's interpreter running the kernels. Then the kernels
are compiled for three kinds of GPU, on the sizes that the tasks have for GPUs. Writes
results/triton_static.json. Nothing here is a time on a GPU; occupancy is theoretical.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results_file
from kernelwright.kernels.triton import TRITON
from kernelwright.schema import Candidate, Origin
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.gpu_compile.compilation import compile_candidate
from kernelwright.verifier.gpu_compile.kernel import CompiledKernel
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from tests.honest.corpus import LIBRARY, library_source
from tests.verifier import kit

THREADS = 2


def main() -> None:
    """Run the tasks and store the findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append", choices=list(LIBRARY))
    names = parser.parse_args().task or list(LIBRARY)
    rows = {name: row(name) for name in names}
    kernels = [kernel for one in rows.values() for kernel in one["kernels"]]
    found = {
        "tasks": len(rows),
        "right_in_interpreter": sum(one["right"] for one in rows.values()),
        "kernels": len(kernels),
        "spilling": sum(bool(kernel["spilled_bytes"]) for kernel in kernels),
        "compile_report_s": round(sum(one["compile_report_s"] for one in rows.values()), 1),
        "rows": rows,
    }
    print(json.dumps({key: value for key, value in found.items() if key != "rows"}, indent=1))
    if names == list(LIBRARY):
        print(results_file.write("triton_static", found, THREADS))


def row(name: str) -> dict[str, Any]:
    """Return the findings on one task's kernels."""
    source = library_source(TRITON, name)
    candidate = Candidate(source=source, backend="triton", origin=Origin(kind="user"))
    task, machine = load_task(name), kit.machine(THREADS)
    start = time.monotonic()
    compilation = compile_candidate(task, candidate, machine)
    compile_s = time.monotonic() - start
    assert not compilation.failures, compilation.failures
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as cache, Reference.open(task, machine) as reference:
        evaluation = Judge(reference, Path(cache)).evaluate(candidate, "fast")
    print(name, evaluation.status.value, evaluation.reason, f"{compile_s:.1f} s", flush=True)
    return {
        "right": evaluation.accepted,
        "cases": sum(w.correctness.cases for w in evaluation.workloads if w.correctness),
        "interpreter_s": round(time.monotonic() - start, 1),
        "compile_report_s": round(compile_s, 2),
        "kernels": [facts(kernel) for kernel in compilation.kernels],
    }


def facts(kernel: CompiledKernel) -> dict[str, Any]:
    """Return a kernel's facts as they are stored."""
    fits = kernel.occupancy
    assert fits is not None
    return {
        **kernel.model_dump(mode="json"),
        "seconds": round(kernel.seconds, 2),
        "occupancy": fits.share,
        "limited_by": fits.limit,
    }


if __name__ == "__main__":
    main()
