"""Measured tuning spaces, so that searches can be replayed without hardware.

    python -m benchmarks.landscapes [--kernel NAME]...

Builds every point of a kernel's space (constants of the library's source, compiler flags) and times
it. The points of a space are timed in rounds, each point once a round in random order, so that
drift of the machine affects all alike. Writes results/landscapes/<kernel>.json; needs a quiet
machine.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import results_file
from kernelwright.kernels.cpp import KERNELS, kernel_part
from kernelwright.kernels.runtime import CPP_RUNTIME
from kernelwright.schema import Scalar

FOLDER = results_file.RESULTS / "landscapes"
Point = tuple[Scalar, ...]
Call = Callable[[ctypes.CDLL], None]
ROUNDS = 7
BLOCK_S = 0.004
FLAGS: dict[str, tuple[Scalar, ...]] = {"OPTIMIZE": (3, 2, 1), "UNROLL_LOOPS": (0, 1)}
"""Values of the compiler's flags; the first of each is the library's own."""


class Space(NamedTuple):
    """The tuning space of one kernel."""

    kernel: str
    constants: dict[str, tuple[Scalar, ...]]
    flags: dict[str, tuple[Scalar, ...]]
    call: Callable[[], Call]
    """Makes the inputs and a function that calls the kernel on them. Its docstring describes the
    inputs and is stored with the figures."""

    @property
    def parameters(self) -> dict[str, tuple[Scalar, ...]]:
        """Values of all constants and flags, by name; the first of each is the default."""
        return {**self.constants, **self.flags}

    def points(self) -> Iterator[Point]:
        """Return an iterator over all points."""
        return itertools.product(*self.parameters.values())


def softmax_call() -> Call:
    """512 rows of 1024."""
    x = torch.randn(512, 1024)
    y = torch.empty_like(x)
    return lambda library: library.softmax(_at(x), _at(y), _long(512), _long(1024))


def attention_call() -> Call:
    """8 heads of 256 queries and keys, dimension 64."""
    q, k, v = (torch.randn(8, 256, 64) for _ in range(3))
    y = torch.empty_like(q)
    sizes = [_long(n) for n in (8, 256, 256, 64)]
    return lambda library: library.attention(
        _at(q), _at(k), _at(v), _at(y), *sizes, ctypes.c_float(0.125), ctypes.c_int(0)
    )


def linear_gelu_call() -> Call:
    """128 rows, 512 to 512 features."""
    x, w, b = torch.randn(128, 512), torch.randn(512, 512), torch.randn(512)
    y = torch.empty(128, 512)
    sizes = [_long(n) for n in (128, 512, 512)]
    return lambda library: library.linear_gelu(
        _at(x), _at(w), _at(b), _at(y), *sizes, ctypes.c_int(0)
    )


def cross_entropy_call() -> Call:
    """128 rows of 8192 classes."""
    x, target, loss = torch.randn(128, 8192), torch.randint(8192, (128,)), torch.empty(1)
    sizes = [_long(n) for n in (128, 8192, -100)]
    return lambda library: library.cross_entropy(_at(x), _at(target), _at(loss), *sizes)


SPACES = (
    Space(
        "softmax",
        {"UNROLL": (4, 1, 2, 8), "BLOCK": (4096, 64, 128, 256, 512, 1024, 2048)},
        FLAGS,
        softmax_call,
    ),
    Space(
        "attention",
        {
            "QUERIES": (48, 6, 12, 24, 36, 72, 96, 144, 192, 264),
            "KEYS": (128, 16, 32, 48, 64, 96, 160, 192, 256),
        },
        {"OPTIMIZE": (3, 2)},
        attention_call,
    ),
    Space(
        "linear_gelu",
        {
            "BLOCK_M": (48, 3, 6, 12, 24, 36, 66, 96, 132),
            "BLOCK_N": (64, 4, 8, 16, 32, 48, 96, 128, 256),
        },
        {"OPTIMIZE": (3, 2)},
        linear_gelu_call,
    ),
    Space(
        "cross_entropy",
        {"UNROLL": (4, 1, 2, 8), "CHUNK": (2048, 64, 128, 256, 512, 1024, 4096, 8192)},
        FLAGS,
        cross_entropy_call,
    ),
)


def _at(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _long(number: int) -> ctypes.c_int64:
    return ctypes.c_int64(number)


def main() -> None:
    """Measure the chosen spaces and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [space.kernel for space in SPACES]
    parser.add_argument("--kernel", action="append", choices=names, help="[all]")
    wanted = parser.parse_args().kernel or names
    for space in (space for space in SPACES if space.kernel in wanted):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            times = measured(space, Path(scratch))
        path = FOLDER.relative_to(results_file.RESULTS) / space.kernel
        figures: dict[str, Any] = {
            "kernel": space.kernel,
            "inputs": space.call.__doc__,
            "parameters": space.parameters,
            "seconds": round(time.monotonic() - start),
            "microseconds": [[*point, round(us, 2)] for point, us in times.items()],
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        results_file.write(str(path), figures, os.cpu_count() or 1)
        low, high = min(times.values()), max(times.values())
        print(f"{space.kernel}: {len(times)} points, {low:.1f} to {high:.1f} us", flush=True)


def measured(space: Space, folder: Path) -> dict[Point, float]:
    """Return the median microseconds of a call, by point."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        built = pool.map(lambda point: build(space, point, folder), points := list(space.points()))
        libraries = dict(zip(points, built, strict=True))
    call, chance = space.call(), random.Random(0)
    times: dict[Point, list[float]] = {point: [] for point in points}
    for _ in range(ROUNDS):
        for point in chance.sample(points, len(points)):
            times[point].append(timed(call, libraries[point]))
    return {point: statistics.median(found) for point, found in times.items()}


def build(space: Space, point: Point, folder: Path) -> ctypes.CDLL:
    """Compile one point and load the library."""
    chosen: Mapping[str, Scalar] = dict(zip(space.parameters, point, strict=True))
    constants = {name: chosen[name] for name in space.constants}
    source = CPP_RUNTIME.helpers + kernel_part(KERNELS[space.kernel], constants).source
    path = folder / ("-".join(map(str, point)) + ".so")
    flags = [f"-O{chosen.get('OPTIMIZE', 3)}"]
    flags += ["-funroll-loops"] if chosen.get("UNROLL_LOOPS") else []
    command = ["g++", "-std=c++17", *flags, "-march=native", "-fopenmp", "-shared", "-fPIC"]
    command += ["-x", "c++", "-", "-o", str(path)]
    subprocess.run(command, input=source.encode(), check=True)
    return ctypes.CDLL(str(path))


def timed(call: Call, library: ctypes.CDLL) -> float:
    """Return the microseconds per call, over as many calls as fill `BLOCK_S`."""
    call(library)
    start = time.perf_counter()
    call(library)
    calls = max(1, round(BLOCK_S / (time.perf_counter() - start)))
    start = time.perf_counter()
    for _ in range(calls):
        call(library)
    return (time.perf_counter() - start) / calls * 1e6


def stored() -> dict[str, dict[str, Any]]:
    """Return the stored figures, by kernel."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {document["kernel"]: document for document in found}


if __name__ == "__main__":
    main()
