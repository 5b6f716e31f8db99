import ctypes
import functools
import hashlib
import os
import shutil
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


@functools.cache
def platform():
    """CPU features, compiler and torch, as text: code that was built for others may not run."""
    features, compiler = "", shutil.which(os.environ.get("CXX", "g++")) or ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            features = next((s for s in lines if s.startswith(("flags", "Features"))), "")
    if compiler:
        compiler = os.path.realpath(compiler)
        compiler += f" {os.stat(compiler).st_size} {os.stat(compiler).st_mtime_ns}"
    return "\0".join([features, compiler, torch.__version__])


def compile_cpp(source, name, signature):
    """Compile C++ with a C function `name`, once per source and platform, and bind it.

    signature: a letter per argument: p pointer, l int64_t, i int, f float, d double.
    Built files are kept in $TORCH_EXTENSIONS_DIR, else in the user's cache.
    """
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "cpp-kernels"
    key = hashlib.sha256("\0".join([source, platform(), *FLAGS]).encode()).hexdigest()[:16]
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


def optional(x, dtype=torch.float32):
    """A dense parameter; None for None."""
    return None if x is None else dense(x, dtype)


def pointer(x):
    """Address of a dense parameter; None (a null pointer) for None."""
    return None if x is None else x.data_ptr()


def fits(condition, *tensors):
    """Raise ValueError, with the shapes, where operands do not fit together."""
    if not condition:
        shapes = ", ".join(str(list(x.shape)) for x in tensors if x is not None)
        raise ValueError(f"the kernel can't take shapes {shapes}")
