"""Compile the Triton kernels that one call launches, for a GPU that need not be here.

The judge writes this file into a worker's folder; it needs torch and triton only. Nothing is
launched: results stay what they were, so a module with launches that depend on results shows the
launches for zeros.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

MAX_LOG = 4000


class Elsewhere:
    """A driver, to Triton, for a GPU that is not here.

    Args:
        capability: 90 for compute capability 9.0.
    """

    def __init__(self, capability: int) -> None:
        from triton.backends.compiler import GPUTarget

        self.capability = capability
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> Any:
        return self.target

    def get_current_device(self) -> int:
        return self.capability  # kernels are kept by device

    def get_current_stream(self, _device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")


def compile_launches(
    loaded: Mapping[str, Any], reference: str, candidate: str, capability: int
) -> list[dict[str, Any]]:
    """Return what Triton makes of every kernel launched by the candidate on the reference's inputs.

    Args:
        loaded: instances by key.
        capability: of the GPU: 90 for compute capability 9.0.

    Raises:
        Exception: whatever Triton's compiler raises.
    """
    from triton.runtime import driver
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    driver.set_active(Elsewhere(capability))
    found: dict[int, dict[str, Any]] = {}
    compile_only = JITFunction.run

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        log, start = io.StringIO(), time.perf_counter()
        with contextlib.redirect_stdout(log):
            kernel = compile_only(self, *args, grid=grid, warmup=True, **options)
        seconds = time.perf_counter() - start
        if id(kernel) not in found:
            found[id(kernel)] = describe(kernel, log.getvalue(), seconds)
        return kernel

    def run_first(self: Any, *args: Any, **options: Any) -> Any:
        return self.fn.run(*args, **options, **self.configs[0].all_kwargs())

    tune = Autotuner.run
    JITFunction.run, Autotuner.run = run, run_first
    try:
        loaded[candidate].call(*like(loaded[reference].inputs))
    finally:
        JITFunction.run, Autotuner.run = compile_only, tune
    return list(found.values())


def like(inputs: Callable[[], Any]) -> list[Any]:
    """Return inputs like the reference's, all zero: memory that is never written takes no room."""
    try:
        with torch.device("meta"):
            shapes = inputs()
    except (NotImplementedError, RuntimeError):  # it needs values, say as sizes
        shapes = inputs()
    return [
        torch.zeros(x.shape, dtype=x.dtype) if isinstance(x, torch.Tensor) else x for x in shapes
    ]


def describe(kernel: Any, log: str, seconds: float) -> dict[str, Any]:
    """Return one compiled kernel as JSON; its machine code goes to a file."""
    folder = os.environ["TRITON_CACHE_DIR"]
    descriptor, path = tempfile.mkstemp(suffix=".cubin", dir=folder)
    with open(descriptor, "wb") as file:
        file.write(kernel.asm["cubin"])
    return {
        "cubin": path,
        "log": log[:MAX_LOG],
        "seconds": seconds,
        "warps": kernel.metadata.num_warps,
        "shared_bytes": kernel.metadata.shared,
    }
