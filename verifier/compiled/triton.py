"""What Triton's compiler makes of a candidate, for GPUs that need not be here.

No driver and no GPU is used: Triton brings the assembler. So this is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kernelwright.schema import Candidate, Task, Workload
from kernelwright.tasks.loader import effective_source
from kernelwright.verifier.channel import WorkerFault, nonsense
from kernelwright.verifier.compiled import triton_launches
from kernelwright.verifier.compiled.kernel import Compilation, CompiledKernel, Listing, compiled
from kernelwright.verifier.reference import CONSTRUCTOR_SEED
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.workers import Machine, await_start, start_worker

CAPABILITIES = (80, 90, 100)
MAX_KERNELS = 50
# Printed by the assembler, and only when something is compiled.
LOG_ALL = {"TRITON_DUMP_PTXAS_LOG": "1", "TRITON_ALWAYS_COMPILE": "1"}
LISTINGS = TypeAdapter(list[Listing])


def compile_candidate(
    task: Task,
    candidate: Candidate,
    machine: Machine,
    capabilities: Sequence[int] = CAPABILITIES,
) -> Compilation:
    """Compile every kernel that a call launches, on the sizes that the task has for GPUs.

    Args:
        capabilities: compute capabilities times ten.

    Raises:
        InfrastructureError: a worker can't be started.
    """
    with ThreadPoolExecutor(len(machine.cores)) as pool:
        found = pool.map(lambda one: _compiled(task, candidate, machine, one), capabilities)
        results = dict(zip(capabilities, found, strict=True))
    kernels = [kernel for r in results.values() if not isinstance(r, str) for kernel in r]
    return Compilation(tuple(kernels), {c: r for c, r in results.items() if isinstance(r, str)})


def timed_workload(task: Task) -> Workload:
    """The workload that a GPU would be timed on; any other where there is none."""
    order = {"cuda": 0, None: 1, "cpu": 2}
    ranked = sorted(task.workloads, key=lambda w: (w.role != "bench", order[w.target]))
    return ranked[0]


def _compiled(
    task: Task, candidate: Candidate, machine: Machine, capability: int
) -> list[CompiledKernel] | str:
    """The kernels for one GPU, or why there are none; in a worker of its own."""
    timeout_s = task.limits.build_timeout_s
    module = start_worker(machine, task.limits, LOG_ALL, timeout_s=timeout_s)
    try:
        await_start(module)
        found = _launched(module, task, candidate, capability)
    except WorkerFault as fault:
        return fault.reason
    finally:
        module.process.kill()
    return [compiled(listing, capability) for listing in found[:MAX_KERNELS]]


def _launched(
    module: RemoteModule, task: Task, candidate: Candidate, capability: int
) -> list[Listing]:
    reference = module.write("reference.py", effective_source(task, timed_workload(task)))
    init = module.load("reference", reference, "Model", CONSTRUCTOR_SEED, None)
    path = module.write("candidate.py", candidate.source)
    module.load("candidate", path, candidate.entry_point, CONSTRUCTOR_SEED, init)
    tool = Path(triton_launches.__file__)
    names = {"reference": "reference", "candidate": "candidate"}
    found = module.tool(tool, "compile_launches", **names, capability=capability)
    try:
        return LISTINGS.validate_python(found)
    except ValidationError as error:
        raise nonsense("no list of kernels") from error
