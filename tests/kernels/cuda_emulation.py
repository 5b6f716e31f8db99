"""CUDA kernels compiled for the CPU, so that their values can be looked at without a GPU."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
KINDS: dict[str, Any] = {"int": ctypes.c_int, "double": ctypes.c_double}
LAUNCHER = """
extern "C" void launch(unsigned blocks, unsigned threads, {parameters}) {{
  run(blocks, threads, [=] {{ {name}({names}); }});
}}
"""


def compiler(folder: Path) -> Callable[[str, str], Callable[..., None]]:
    """Return a stand-in for `torch.cuda._compile_kernel` that builds in `folder`."""

    def compile_kernel(source: str, name: str) -> Callable[..., None]:
        found = re.search(rf"\b{name}\((.*?)\) \{{", source, re.DOTALL)
        assert found is not None
        parameters = [text.strip() for text in found.group(1).split(",")]
        names = ", ".join(text.split()[-1] for text in parameters)
        launcher = LAUNCHER.format(name=name, parameters=", ".join(parameters), names=names)
        path = folder / f"{name}.so"
        code = "\n".join([HEADER.read_text(), source, launcher])
        flags = ["-std=c++20", "-O2", "-pthread", "-shared", "-fPIC", "-x", "c++", "-"]
        subprocess.run(["g++", *flags, "-o", path], input=code, text=True, check=True)
        function = ctypes.CDLL(str(path)).launch
        kinds: list[Any] = [
            ctypes.c_void_p if "*" in p else KINDS[p.split()[0]] for p in parameters
        ]
        function.argtypes = (ctypes.c_uint, ctypes.c_uint, *kinds)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: list[Any]) -> None:
            values = [x.data_ptr() if isinstance(x, torch.Tensor) else x for x in args]
            function(grid[0], block[0], *values)

        return launch

    return compile_kernel
