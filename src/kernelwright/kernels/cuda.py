"""The kernel library in CUDA C++: a few kernels, compiled by the NVRTC that torch brings.

Each kernel is a CUDA file and a Python wrapper of the same name; tunables are macros, as in C++.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernelwright.kernels.library import Kernel, Library, Part, bound_file, defined, text_of
from kernelwright.schema import Scalar

THREADS = (256, 512, 128)

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("layer_norm", "normalization", {"THREADS": THREADS}),
        Kernel("rms_norm", "normalization", {"THREADS": THREADS}),
        Kernel("softmax", "softmax", {"THREADS": THREADS}),
    )
}


def kernel_part(kernel: Kernel, tunables: Mapping[str, Scalar]) -> Part:
    """Return a library kernel with chosen tunables; its wrapper has them as constants too."""
    chosen = {name: tunables.get(name, values[0]) for name, values in kernel.tunables.items()}
    code = text_of("cuda/common.cuh") + "\n" + text_of(f"cuda/{kernel.name}.cu")
    constants = "".join(f"{kernel.name.upper()}_{name} = {chosen[name]}\n" for name in chosen)
    wrapper = f"{constants}\n\n{text_of(f'cuda/{kernel.name}.py')}"
    return Part(kernel.name, defined(chosen) + code, wrapper)


def candidate_file(title: str, parts: Sequence[Part], model: str) -> str:
    """Return a candidate file: the loader, each kernel with its wrapper, the module."""
    return bound_file(title, "cuda/loader.py", parts, _bind, model)


def _bind(part: Part, constant: str) -> str:
    return f'{part.name}_cuda = compile_cuda({constant}, "{part.name}_kernel")'


CUDA = Library("cuda", "CUDA kernels", KERNELS, kernel_part, candidate_file)
