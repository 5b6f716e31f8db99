import ctypes
import hashlib
import os
import subprocess
from pathlib import Path

import torch
from torch import nn

FLAGS = ["-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
KINDS = {
    "p": ctypes.c_void_p,
    "l": ctypes.c_int64,
    "i": ctypes.c_int,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}


def torch_openmp():
    """Linker arguments for the OpenMP runtime that torch has loaded: two would fight for cores."""
    root = Path(torch.__file__).parent
    found = sorted([*root.glob("lib/libgomp*.so*"), *root.parent.glob("torch.libs/libgomp*.so*")])
    return ["-Wl,--as-needed", str(found[0])] if found else []


def compile_cpp(source, name, signature):
    """Compile C++ with a C function `name`, once per source, and bind it.

    signature: a letter per argument: p pointer, l int64_t, i int, f float, d double.
    Built files are kept in $TORCH_EXTENSIONS_DIR, else in the user's cache.
    """
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "cpp-kernels"
    key = hashlib.sha256("\0".join([source, *FLAGS]).encode()).hexdigest()[:16]
    path = Path(root) / f"{name}-{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = f"{path}.{os.getpid()}"
        compiler = [os.environ.get("CXX", "g++"), *FLAGS, "-x", "c++", "-", "-x", "none"]
        command = [*compiler, "-o", scratch, *torch_openmp()]
        subprocess.run(command, input=source.encode(), check=True)
        os.replace(scratch, path)
    function = ctypes.CDLL(str(path))[name]
    function.argtypes = [KINDS[letter] for letter in signature]
    return function


def dense(x, dtype=torch.float32):
    """The tensor, contiguous; raises where the kernels here would read something else."""
    if x.dtype != dtype or not x.is_cpu:
        raise TypeError(f"expected a {dtype} CPU tensor, got {x.dtype} on {x.device}")
    return x.contiguous()


def pointer(x, dtype=torch.float32):
    """Address of a dense parameter; None (a null pointer) for None."""
    return None if x is None else dense(x, dtype).data_ptr()
