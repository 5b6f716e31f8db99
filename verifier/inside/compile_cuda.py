"""Compile the CUDA sources of a candidate for a GPU that need not be here.

The judge writes this file into a worker's folder; it needs torch and nvcc. torch's ways to compile
CUDA are replaced by ones that only keep the source, so no host code is built and nothing is run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils import cpp_extension

INLINE_HEADERS = ("torch/types.h", "cuda.h", "cuda_runtime.h")
# A header that torch's CPU builds leave out.
MISSING_HEADER = "c10/cuda/impl/cuda_cmake_macros.h"
STANDARD = "-std=c++20"
# The GPU to compile for is ours to say.
ARCHITECTURE = re.compile(r"-arch|-gencode|--gpu-|--generate-code|-code=")
MAX_LOG = 100_000


class Source(NamedTuple):
    """One file for nvcc."""

    text: str
    flags: tuple[str, ...]
    folders: tuple[str, ...] = ()
    """Folders to look for headers in."""


class NotBuilt:
    """Stand-in that a candidate gets for compiled code."""

    def __getattr__(self, name: str) -> NotBuilt:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> NotBuilt:
        return self


def compile_sources(
    loaded: Mapping[str, Any], reference: str, path: str, entry_point: str, capability: int
) -> list[dict[str, Any]] | None:
    """Return what nvcc makes of all CUDA that a candidate compiles; None where there is no nvcc.

    Args:
        loaded: instances by key.
        path: of the candidate's file.
        capability: of the GPU: 90 for compute capability 9.0.

    Raises:
        RuntimeError: in the compiler's own words.
        Exception: whatever the candidate raises before it has compiled anything.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        return None
    sources = captured(path, entry_point, loaded[reference])
    return [compiled(nvcc, source, capability, i) for i, source in enumerate(sources)]


def find_nvcc() -> str | None:
    """Return the path of CUDA's compiler, where torch would look for it."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    return shutil.which("nvcc") or shutil.which(f"{home}/bin/nvcc")


def captured(path: str, entry_point: str, reference: Any) -> list[Source]:
    """Return the sources compiled by importing the file, making its module or, else, calling it."""
    found: list[Source] = []
    with capturing(found):
        spec = importlib.util.spec_from_file_location("captured_candidate", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["captured_candidate"] = module
        spec.loader.exec_module(module)
        model = vars(module)[entry_point](*reference.arguments)
        if not found:
            model(*reference.inputs())
    return found


@contextlib.contextmanager
def capturing(found: list[Source]) -> Iterator[None]:
    """Replace torch's ways to compile CUDA, for as long as a candidate is imported."""

    def load_inline(
        name: str,
        cpp_sources: Any,
        cuda_sources: Any = None,
        functions: Any = None,
        extra_cflags: Any = None,
        extra_cuda_cflags: Sequence[str] | None = None,
        extra_ldflags: Any = None,
        extra_include_paths: Sequence[str] | None = None,
        no_implicit_headers: bool = False,
        **_: Any,
    ) -> NotBuilt:
        texts = [cuda_sources] if isinstance(cuda_sources, str) else list(cuda_sources or ())
        headers = [] if no_implicit_headers else [f"#include <{h}>" for h in INLINE_HEADERS]
        if texts:
            found.append(
                extension("\n".join(headers + texts), extra_cuda_cflags, extra_include_paths)
            )
        return NotBuilt()

    def load(
        name: str,
        sources: str | Sequence[str],
        extra_cflags: Any = None,
        extra_cuda_cflags: Sequence[str] | None = None,
        extra_ldflags: Any = None,
        extra_include_paths: Sequence[str] | None = None,
        **_: Any,
    ) -> NotBuilt:
        for path in [sources] if isinstance(sources, str) else sources:
            if path.endswith(".cu"):
                text = Path(path).read_text()
                found.append(extension(text, extra_cuda_cflags, extra_include_paths))
        return NotBuilt()

    def compile_kernel(
        kernel_source: str,
        kernel_name: str,
        compute_capability: str | None = None,
        cuda_include_dirs: Sequence[str] | None = None,
        nvcc_options: Sequence[str] | None = None,
    ) -> NotBuilt:
        # NVRTC compiles what it is asked for by name, which may be an instance of a template.
        text = f"{kernel_source}\nstatic void* const asked_for = (void*)({kernel_name});\n"
        found.append(Source(text, tuple(nvcc_options or ()), tuple(cuda_include_dirs or ())))
        return NotBuilt()

    with (
        replaced(cpp_extension, "load_inline", load_inline),
        replaced(cpp_extension, "load", load),
        replaced(torch.cuda, "_compile_kernel", compile_kernel),
    ):
        yield


@contextlib.contextmanager
def replaced(owner: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Put another function under that name while the body runs."""
    before = getattr(owner, name, None)
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, before)


def extension(text: str, flags: Sequence[str] | None, folders: Sequence[str] | None) -> Source:
    """Return a file that is compiled as torch compiles its extensions."""
    given = tuple(flags or ())
    standard = () if any("std=" in flag for flag in given) else (STANDARD,)
    own = (*cpp_extension.include_paths("cpu"), sysconfig.get_paths()["include"], missing_headers())
    return Source(
        text, (*cpp_extension.COMMON_NVCC_FLAGS, *standard, *given), (*(folders or ()), *own)
    )


def missing_headers() -> str:
    """Return a folder with an empty header for the one that torch lacks here."""
    folder = Path(os.environ["TORCH_EXTENSIONS_DIR"], "headers")
    if not any(Path(root, MISSING_HEADER).exists() for root in cpp_extension.include_paths("cpu")):
        path = folder / MISSING_HEADER
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n")
    return str(folder)


def compiled(nvcc: str, source: Source, capability: int, number: int) -> dict[str, Any]:
    """Compile device code for one GPU; return its path and what its assembler says of it."""
    folder = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"candidate_{number}"
    path, cubin = stem.with_suffix(".cu"), stem.with_suffix(".cubin")
    path.write_text(source.text)
    # Instructions of this very GPU and no later one (wgmma, tcgen05), where the flags ask for them.
    exact = "a" if any(f"{capability}a" in flag for flag in source.flags) else ""
    command = [nvcc, "-cubin", f"-arch=sm_{capability}{exact}", "-Xptxas", "-v"]
    command += [flag for flag in source.flags if not ARCHITECTURE.match(flag)]
    command += [part for root in source.folders for part in ("-isystem", root)]
    start = time.perf_counter()
    done = subprocess.run([*command, "-o", cubin, path], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return {"cubin": str(cubin), "log": done.stderr[:MAX_LOG], "seconds": seconds}
