"""Build times of candidates: a new source, and an unchanged one, by way of building.

    python benchmarks/builds.py [--rounds 3]

`c_abi` is a library kernel through the plain C ABI; `torch_extension` the same job as a KernelBench
candidate would do it, with torch/extension.h through load_inline, with and without the precompiled
header. For a new source the time is the worker's import of the candidate file, in which the
compiler runs (the worker's start is the same for all and not counted). For an unchanged source it
is the whole call of `build_candidate`. Writes results/builds.json.
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
from kernelwright.verifier.worker.instance import Instance

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
    """The `cpp` backend without its precompiled header."""

    def environment(self, candidate: Candidate, cache: Path) -> dict[str, str]:
        """Return no variables."""
        return {}


def c_abi(variant: int) -> str:
    """Return a candidate with a new C++ source for each `variant`."""
    part = CPP.part(CPP.kernels["softmax"], {"UNROLL": 4, "VARIANT": variant})
    return CPP.file(f"Variant {variant}.", [part], MODEL.format(call="softmax"))


def extension(variant: int) -> str:
    """Return a candidate with a new inline extension for each `variant`."""
    return EXTENSION.format(variant=variant)


def main() -> None:
    """Measure the build times and store them."""
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
    """Return a candidate from its source."""
    return Candidate(source=source, backend="cpp", origin=Origin(kind="user"))


def measure(
    made: list[Candidate], backend: Cpp, reference: Reference, cache: Path
) -> dict[str, float]:
    """Return the median seconds to build a new and an unchanged source."""
    loads: list[float] = []
    inner = Instance.load

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = inner(*args, **kwargs)
        loads.append(time.perf_counter() - start)
        return result

    for workload in reference.workloads():
        reference.prepare(workload)
    new, unchanged = [], []
    for one in made:
        Instance.load = timed  # type: ignore[method-assign]
        loads.clear()
        build_candidate(one, backend, reference, cache)
        Instance.load = inner  # type: ignore[method-assign]
        new.append(loads[0])
        unchanged.append(seconds(lambda one=one: build_candidate(one, backend, reference, cache)))
    return {
        "new_source_s": round(statistics.median(new), 3),
        "unchanged_source_s": round(statistics.median(unchanged), 4),
    }


def seconds(action: Any) -> float:
    """Return the wall time of a call, in seconds."""
    start = time.perf_counter()
    action()
    return round(time.perf_counter() - start, 4)


if __name__ == "__main__":
    main()
