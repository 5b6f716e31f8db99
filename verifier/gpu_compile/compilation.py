"""Compilation of a candidate for GPUs that need not be here.

No driver and no GPU is used, so this is the same on every machine: Triton brings its assembler, and
CUDA sources are compiled by nvcc where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Task, Workload
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.tasks.kinds.registry import kind_of
from kernelwright.tasks.loader import effective_source
from kernelwright.verifier.gpu_compile.kernel import (
    Binary,
    Compilation,
    CompiledKernel,
    Listing,
    kernels_in,
)
from kernelwright.verifier.inside import compile_cuda, compile_triton, disassemble_gpu
from kernelwright.verifier.reference.calls import load_reference
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker

CAPABILITIES = (80, 90, 100)
MAX_KERNELS = 50
# Triton's assembler prints only when asked, and only when something is compiled.
VARIABLES = {"TRITON_DUMP_PTXAS_LOG": "1", "TRITON_ALWAYS_COMPILE": "1"}
BINARIES = TypeAdapter(list[Binary])
LISTINGS = TypeAdapter(list[Listing])


def compile_candidate(
    task: Task,
    candidate: Candidate,
    machine: Machine,
    capabilities: Sequence[int] = CAPABILITIES,
) -> Compilation:
    """Compile a candidate's GPU kernels, on the sizes that the task has for GPUs.

    Args:
        candidate: of a backend in `COMPILERS`.
        capabilities: compute capabilities times ten.

    Raises:
        PrerequisiteError: the sandbox lacks the compiler.
        InfrastructureError: a worker can't be started.
    """
    with ThreadPoolExecutor(len(machine.cores)) as pool:
        found = pool.map(lambda one: _compiled(task, candidate, machine, one), capabilities)
        results = dict(zip(capabilities, found, strict=True))
    kernels = [kernel for r in results.values() if not isinstance(r, str) for kernel in r]
    return Compilation(tuple(kernels), {c: r for c, r in results.items() if isinstance(r, str)})


def timed_workload(task: Task) -> Workload:
    """Return the workload that a GPU would be timed on; any other where there is none."""
    order = {"cuda": 0, None: 1, "cpu": 2}
    ranked = sorted(task.workloads, key=lambda w: (w.role != "bench", order[w.target]))
    return ranked[0]


def _compiled(
    task: Task, candidate: Candidate, machine: Machine, capability: int
) -> list[CompiledKernel] | str:
    """Compile for one GPU in a worker of its own; return the kernels, or why there are none."""
    timeout_s = task.limits.build_timeout_s
    client = start_worker(machine, task.limits, VARIABLES, timeout_s=timeout_s)
    try:
        await_start(client)
        workload = timed_workload(task)
        reference = load_reference(
            client, kind_of(task), workload, effective_source(task, workload)
        )
        found = COMPILERS[candidate.backend](kind_of(task), candidate, reference, capability)
        binaries = BINARIES.validate_python(found)[:MAX_KERNELS]
        kernels = _kernels(client, binaries, capability)
    except WorkerFault as fault:
        return fault.reason
    except ValidationError:
        return nonsense("no list of kernels").reason
    finally:
        client.process.kill()
    return kernels[:MAX_KERNELS]


def _triton(kind: TaskKind, candidate: Candidate, reference: Instance, capability: int) -> object:
    """Compile every kernel that a call launches."""
    client = reference.client
    path = client.write("candidate.py", candidate.source)
    key, entry = f"{reference.key}/candidate", candidate.entry_point
    own = Instance.load(client, kind, key, path, entry, reference.init)
    names = {"reference": reference.key, "candidate": own.key}
    tool = Path(compile_triton.__file__)
    return client.tool(tool, "compile_launches", **names, capability=capability)


def _cuda(_kind: TaskKind, candidate: Candidate, reference: Instance, capability: int) -> object:
    """Compile every file that the candidate gives to a compiler."""
    client = reference.client
    found = client.tool(
        Path(compile_cuda.__file__),
        "compile_sources",
        reference=reference.key,
        path=client.write("candidate.py", candidate.source),
        entry_point=candidate.entry_point,
        capability=capability,
    )
    if found is None:
        raise PrerequisiteError(
            "no nvcc in the sandbox",
            hint="install CUDA's compiler, or choose another sandbox with --sandbox",
        )
    return found


COMPILERS: Mapping[str, Callable[[TaskKind, Candidate, Instance, int], object]] = {
    "triton": _triton,
    "cuda": _cuda,
}


def _kernels(
    client: WorkerClient, binaries: Sequence[Binary], capability: int
) -> list[CompiledKernel]:
    cubins = [binary.cubin for binary in binaries]
    found = client.tool(Path(disassemble_gpu.__file__), "disassemble", cubins=cubins)
    listings = LISTINGS.validate_python(found)
    pairs = zip(binaries, listings, strict=False)
    return [kernel for binary, text in pairs for kernel in kernels_in(binary, text, capability)]
