"""A task in words: what is measured, and how right is right."""

from __future__ import annotations

from kernelwright.schema import Task, ToleranceName, Workload


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


def accuracy(tolerance: ToleranceName) -> str:
    """Return the judge's rule in words, with its own numbers."""
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
    return (
        f"Every element is compared with a float64 result. Its error may be {ERROR_RATIO:g} times "
        f"the reference's own largest error, or {ULPS:g} eps of the dtype ({ULPS_HALF:g} in 16 "
        "bits) times the larger of the element and the root mean square of the tensor, whichever "
        "is more; the root mean square of the errors is held to the same rule. A lower precision "
        "anywhere (bfloat16, half, TF32) "
        "is far outside that. Integers must be equal; NaN and infinities must be where the "
        "reference has them."
    )
