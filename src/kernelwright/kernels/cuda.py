"""The kernel library in CUDA C++: a few kernels, compiled by the NVRTC that torch brings.

Each kernel is a CUDA file and a Python wrapper of the same name; its threads are a constant of the
file, which becomes a macro in front of the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernelwright.kernels.library import Kernel, Library, Part, bound_file, text_of
from kernelwright.kernels.runtime import CUDA_RUNTIME
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
    """Return a library kernel with chosen tunables, as constants of the file."""
    chosen = {name: tunables.get(name, values[0]) for name, values in kernel.tunables.items()}
    return Part(
        kernel.name,
        text_of(f"cuda/{kernel.name}.cu"),
        text_of(f"cuda/{kernel.name}.py"),
        "".join(f"{kernel.name.upper()}_{name} = {chosen[name]}\n" for name in chosen),
    )


def candidate_file(title: str, parts: Sequence[Part], model: str) -> str:
    """Return a candidate file: the runtime, each kernel with its wrapper, the module."""
    return bound_file(title, CUDA_RUNTIME.text, parts, _bind, model)


def _bind(part: Part, constant: str) -> str:
    define = f'f"#define THREADS {{{part.name.upper()}_THREADS}}\\n"'
    build = f'compile_cuda({define} + HELPERS + {constant}, "{part.name}_kernel")'
    return f"{part.name}_cuda = {build}"


CUDA = Library("cuda", "CUDA kernels", KERNELS, kernel_part, candidate_file)
