"""The registry of backends, by name."""

from __future__ import annotations

from kernelwright.backends.base import Backend
from kernelwright.backends.cpp import Cpp
from kernelwright.backends.cuda import Cuda
from kernelwright.backends.inductor import Inductor
from kernelwright.backends.plain import PlainTorch
from kernelwright.backends.triton import Triton
from kernelwright.errors import PrerequisiteError, UsageError, did_you_mean

BACKENDS: dict[str, type[Backend]] = {
    "cpp": Cpp,
    "cuda": Cuda,
    "inductor": Inductor,
    "torch": PlainTorch,
    "triton": Triton,
}


def open_backend(name: str) -> Backend:
    """Return the named backend. Raises UsageError for an unknown one."""
    if name not in BACKENDS:
        raise UsageError(f"unknown backend {name!r}", hint=did_you_mean(name, list(BACKENDS)))
    return BACKENDS[name]()


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
    return "inductor" if "torch.compile" in source else "torch"
