"""Build times of candidates: a new source, and an unchanged one, by path.

    python benchmarks/builds.py [--rounds 3]

`c_abi` is a library kernel through the plain C ABI; `torch_extension` the same job as a KernelBench
candidate would do it, with torch/extension.h through load_inline, with and without the precompiled
header. Times are the worker's import of the candidate file, which is where the compiler runs (the
worker's own start is the same for all and not counted). Writes results/builds.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import results_file

from kernelwright.backends.cpp import Cpp
from kernelwright.kernels.cpp import CPP
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Candidate, Origin
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.client import WorkerClient

MODEL = """
class ModelNew(nn.Module):
    def forward(self, x):
        return {call}(x)
"""
EXTENSION = '''
import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
#include <torch/extension.h>

// variant {variant}
torch::Tensor softmax(torch::Tensor x) {{ return torch::softmax(x, -1); }}
"""
module = load_inline("softmax_{variant}", SOURCE, functions=["softmax"], extra_cflags=["-O3"])


class ModelNew(nn.Module):
    def forward(self, x):
        return module.softmax(x)
'''


class PlainCpp(Cpp):
    """The backend without its precompiled header."""

    def environment(self, candidate: Candidate, cache: Path) -> dict[str, str]:
        """Nothing."""
        return {}


def c_abi(variant: int) -> str:
    """A new C++ source each time."""
    part = CPP.part(CPP.kernels["softmax"], {"UNROLL": 4, "VARIANT": variant})
    return CPP.file(f"Variant {variant}.", [part], MODEL.format(call="softmax"))


def extension(variant: int) -> str:
    """The same as an inline extension."""
    return EXTENSION.format(variant=variant)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    kinds = {
        "c_abi": (c_abi, Cpp()),
        "torch_extension": (extension, Cpp()),
        "torch_extension_without_header": (extension, PlainCpp()),
    }
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch)
        machine = Machine(ProcessSandbox(), os.cpu_count() or 1, "cpu")
        with Reference(load_task("softmax"), machine, seed=0) as reference:
            header_s = seconds(lambda: Cpp().environment(candidate(extension(0)), cache))
            figures: dict[str, Any] = {"precompiling_the_header_once_s": header_s}
            for index, (name, (make, backend)) in enumerate(kinds.items()):
                offset = 1000 * (index + 1)
                made = [candidate(make(offset + number)) for number in range(rounds)]
                figures[name] = measure(made, backend, reference, cache)
        machine.sandbox.close()
    print(results_file.write("builds", {"rounds": rounds, **figures}, os.cpu_count() or 1))
    print(figures)


def candidate(source: str) -> Candidate:
    """A candidate of a user."""
    return Candidate(source=source, backend="cpp", origin=Origin(kind="user"))


def measure(
    made: list[Candidate], backend: Cpp, reference: Reference, cache: Path
) -> dict[str, float]:
    """Median seconds of a new and of an unchanged source."""
    loads: list[float] = []
    inner = WorkerClient.load

    def timed(self: WorkerClient, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = inner(self, *args, **kwargs)
        loads.append(time.perf_counter() - start)
        return result

    for workload in reference.workloads():
        reference.prepare(workload)
    new, unchanged = [], []
    for one in made:
        WorkerClient.load = timed  # type: ignore[method-assign]
        loads.clear()
        build_candidate(one, backend, reference, cache)
        WorkerClient.load = inner  # type: ignore[method-assign]
        new.append(loads[0])
        unchanged.append(seconds(lambda one=one: build_candidate(one, backend, reference, cache)))
    return {
        "new_source_s": round(statistics.median(new), 3),
        "unchanged_source_s": round(statistics.median(unchanged), 4),
    }


def seconds(action: Any) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    action()
    return round(time.perf_counter() - start, 4)


if __name__ == "__main__":
    main()
