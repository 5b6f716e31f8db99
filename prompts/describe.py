"""A task in words: what is measured and how, how right is right, and what may be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kernelwright.schema import Policy, Task, ToleranceName, Workload
from kernelwright.verifier.levels import EFFORTS

NARROW = ("bfloat16", "float16")
FLOAT32 = (
    "keeps the accuracy of float32 throughout: no lower precision, no -ffast-math (NaN and "
    "infinities count), blocked or float64 sums for long reductions"
)
MIXED = (
    "takes {} operands as they are (matrix units too), accumulates in float32 and rounds once, at "
    "the output; what is float32 in the reference stays float32; no -ffast-math (NaN and "
    "infinities count), blocked or float64 sums for long reductions"
)
ABILITIES = {
    "cpp": "C++17 with OpenMP, by g++ in about a second, called through ctypes; no oneDNN, MKL or "
    "torch headers: what it needs it writes itself",
    "cuda": "CUDA C++ by NVRTC in tenths of a second; no host code and no headers of the host "
    "compiler, so no CUTLASS, CUB or cuBLAS",
    "inductor": "torch.compile with options: fuses elementwise chains and reductions around "
    "torch's own products; takes seconds to compile, and changes neither algorithm nor layout",
    "torch": "PyTorch's own operators: tuned products and convolutions; every call is a pass over "
    "memory and some microseconds",
    "triton": "Triton kernels for GPUs, compiled at the first call; no shuffles, no control of "
    "registers, blocks are powers of two",
}
"""Each backend in a line. One of another package is its name alone."""
NOT_OWN = ("inductor", "torch")
"""Backends whose files leave the work to torch, which the policy `custom` refuses."""


def abilities(backends: Sequence[str]) -> tuple[str, ...]:
    """Return one line on each backend."""
    return tuple(f"{name}: {ABILITIES[name]}" if name in ABILITIES else name for name in backends)


def allowed(backends: Sequence[str], policy: Policy) -> tuple[str, ...]:
    """Return the backends whose files a policy may accept."""
    return tuple(name for name in backends if policy == "any" or name not in NOT_OWN)


def precision(dtypes: Collection[str]) -> str:
    """Return the precision that a file has to keep, in words.

    Args:
        dtypes: of the inputs and parameters, as torch names them.
    """
    narrow = [name for name in NARROW if name in dtypes]
    return MIXED.format(" and ".join(narrow)) if narrow else FLOAT32


def timing(device: str, threads: int) -> tuple[str, ...]:
    """Return how the judge times a call."""
    shared = (
        "`forward` alone under `torch.no_grad()`, wall clock around many calls in a row: Python's "
        "part of a call and the allocation of outputs count",
        "building and the first calls are not timed; parameters are the same in every call",
    )
    own = "each call of a round has inputs of its own, written before the clock starts"
    if device == "cpu":
        pinned = f"{threads} thread{'s' * (threads != 1)}, each worker pinned to as many CPUs"
        mib, more = (EFFORTS[level].buffer_bytes // 2**20 for level in ("fast", "standard"))
        cold = (
            f"{own}, in random order, and a result of its own; with up to {mib} MiB of either "
            f"({more} when measured at length) they lie in the last cache or in memory, not in L1"
        )
        return (*shared, cold, f"{pinned}; freed memory is kept, on huge pages")
    return (
        *shared,
        f"{own}, and L2 is emptied before it: inputs come from memory",
        "the GPU has to be done with all calls when the clock stops",
    )


def shown_workloads(task: Task, device: str) -> list[Workload]:
    """Return the workloads of this kind of device that a model may know."""
    kind = "cpu" if device == "cpu" else "cuda"
    return [w for w in task.workloads if w.target in (None, kind) and w.role != "hidden"]


def sizes(task: Task, device: str) -> tuple[str, ...]:
    """Return one line per workload that may be shown."""
    return tuple(_size(task, workload) for workload in shown_workloads(task, device))


def _size(task: Task, workload: Workload) -> str:
    constants = task.overrides_for(workload)
    text = ", ".join(f"{name} = {value!r}" for name, value in constants.items())
    role = "timed" if workload.role == "bench" else "values only"
    return f"{workload.name} ({role}): {text or 'constants as in the file'}"


def accuracy(tolerance: ToleranceName, dtypes: Collection[str] = ()) -> str:
    """Return the judge's rule in words, with its own numbers.

    Args:
        dtypes: of the inputs and parameters, as torch names them.
    """
    from kernelwright.verifier.tolerance import (
        ERROR_RATIO,
        KERNELBENCH,
        KERNELBENCH_OTHERS,
        ULPS,
        ULPS_HALF,
    )

    if tolerance == "kernelbench":
        others = "".join(
            f", in {str(dtype).removeprefix('torch.')} by {bound:g} * (1 + |e|)"
            for dtype, bound in KERNELBENCH.items()
        )
        return (
            f"An element e may differ from the reference by {KERNELBENCH_OTHERS:g} * (1 + |e|)"
            f"{others}. Integers must be equal."
        )
    lower = (
        "than the reference's own"
        if any(name in dtypes for name in NARROW)
        else "anywhere (bfloat16, half, TF32)"
    )
    return (
        f"Every element is compared with a float64 result. Its error may be {ERROR_RATIO:g} times "
        f"the reference's own largest error, or {ULPS:g} eps of the dtype ({ULPS_HALF:g} in 16 "
        "bits) times the larger of the element and the root mean square of the tensor, whichever "
        "is more; the root mean square of the errors is held to the same rule. A lower precision "
        f"{lower} is far outside that. Integers must be equal; NaN and infinities must be where "
        "the reference has them."
    )
