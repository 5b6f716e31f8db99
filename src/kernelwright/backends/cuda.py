"""The `cuda` backend: CUDA C++ through torch's inline extensions, or through its NVRTC compiler.

`torch.utils.cpp_extension.load_inline` needs nvcc and compiles torch's headers, for most of a
minute. `torch.cuda._compile_kernel` needs only the NVRTC library that torch's CUDA builds bring,
compiles the kernel alone, in tenths of a second, and launches it through the driver.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from kernelwright.backends.base import Availability, Language

RELEASE = re.compile(r"release (\d+\.\d+)")
TORCH_CUDA = re.compile(r"^cuda\b.*= *'(\d+\.\d+)'", re.MULTILINE)


class Cuda(Language):
    """CUDA C++, compiled by nvcc or NVRTC."""

    name = "cuda"
    devices = ("cuda",)

    def availability(self) -> Availability:
        """See `Backend.availability`."""
        nvcc, own = nvcc_release(), torch_release()
        if nvcc is None and own is None:
            hint = "install the CUDA toolkit, or a CUDA build of torch"
            return Availability(False, "no CUDA compiler: neither nvcc nor torch's NVRTC", hint)
        if nvcc and own and nvcc.partition(".")[0] != own.partition(".")[0]:
            reason = f"nvcc is of CUDA {nvcc}, torch of CUDA {own}: they can't be linked"
            return Availability(False, reason, f"install the toolkit of CUDA {own}")
        return Availability(True)

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        nvcc, own = nvcc_release() or "none", torch_release() or "none"
        return f"nvcc {nvcc} NVRTC {own} torch {version('torch')}"


def find_tool(name: str) -> str | None:
    """Return the path of one of CUDA's programs, found where torch would look for it."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    return shutil.which(name) or shutil.which(f"{home}/bin/{name}")


@functools.cache
def nvcc_release() -> str | None:
    """Return nvcc's CUDA release, like `13.0`; None without nvcc."""
    nvcc = find_tool("nvcc")
    if nvcc is None:
        return None
    done = subprocess.run([nvcc, "--version"], capture_output=True, text=True, timeout=30)
    found = RELEASE.search(done.stdout)
    return found.group(1) if found else None


@functools.cache
def torch_release() -> str | None:
    """Return the CUDA release that torch was built with; None for builds without CUDA."""
    # Importing torch would cost seconds.
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    found = TORCH_CUDA.search(Path(spec.origin).with_name("version.py").read_text())
    return found.group(1) if found else None
