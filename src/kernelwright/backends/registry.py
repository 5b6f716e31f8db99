"""The registry of backends, by name."""

from __future__ import annotations

from kernelwright.backends.base import Backend
from kernelwright.errors import PrerequisiteError
from kernelwright.registry import Kind, Registry

PLAIN = "torch"
"""Backend of files in PyTorch's own operators only."""
BACKENDS: Registry[Backend] = Registry(
    "backend",
    Kind("a backend", "availability"),
    {
        "cpp": "kernelwright.backends.cpp:Cpp",
        "cuda": "kernelwright.backends.cuda:Cuda",
        "inductor": "kernelwright.backends.inductor:Inductor",
        PLAIN: "kernelwright.backends.plain:PlainTorch",
        "triton": "kernelwright.backends.triton:Triton",
    },
    "kernelwright.backends",
)


def open_backend(name: str) -> Backend:
    """Return the named backend. Raises UsageError for an unknown one."""
    return BACKENDS.open(name)


def require_backends(
    names: tuple[str, ...], device: str = "cpu", timed: bool = True
) -> list[Backend]:
    """Return those of the named backends that work here for a kind of device.

    Args:
        timed: leave out backends that are not timed on that kind of device.

    Raises:
        PrerequisiteError: none of them works.
    """
    opened = map(open_backend, names)
    backends = [b for b in opened if device in (b.timed_on if timed else b.devices)]
    if not backends:
        can = "is timed" if timed else "runs"
        raise PrerequisiteError(
            f"none of the backends {', '.join(names)} {can} on {device!r}",
            hint="choose others with --backend, or another --target; `kernelwright compile` shows "
            "what compilers make of GPU kernels without a GPU",
        )
    usable = [backend for backend in backends if backend.availability().ok]
    if not usable:
        first = backends[0].availability()
        raise PrerequisiteError(first.reason, hint=first.hint)
    return usable


def guess_backend(source: str) -> str:
    """Return the backend of a candidate file, guessed from the compiler that its text uses."""
    if "triton.jit" in source:
        return "triton"
    if any(sign in source for sign in ("cuda_sources", "_compile_kernel", "nvcc")):
        return "cuda"
    if any(sign in source for sign in ("load_inline", "cpp_extension", "ctypes")):
        return "cpp"
    return "inductor" if "torch.compile" in source else PLAIN
