"""The start of workers: the one place that knows the worker file, arguments and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.gpu import gpu_uuid
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Limits
from kernelwright.verifier.inside import worker as worker_file
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault

WORKER_PATH = str(Path(worker_file.__file__))
WORKER_VERSION = worker_file.VERSION
START_TIMEOUT_S = 120.0
BUILD_FOLDER = "build"
TOOLS_FOLDER = "bin"
# torch itself needs this much private memory before the first tensor.
BASE_MEMORY_BYTES = 2 * 2**30
# A worker's folder is new, so headers would be compiled beforehand in vain, and a program be built
# for each vector unit to see whether it loads (5 s each). AMX, which a virtual machine may not let
# through, is asked for all the same.
QUICK_INDUCTOR = {
    "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0",
    "TORCHINDUCTOR_VEC_ISA_OK": "1",
}


def start_worker(
    machine: Machine,
    limits: Limits,
    env: Mapping[str, str] | None = None,
    build: Path | None = None,
    timeout_s: float | None = None,
    tenant: str = "",
    wrapper: tuple[str, ...] = (),
) -> WorkerClient:
    """Start a worker; it may still be importing torch when this returns.

    Args:
        env: extra environment; `{folder}` stands for the worker's private folder.
        build: a finished build to copy into the worker's build folder.
        timeout_s: time-out of every operation; the task's call time-out by default.
        tenant: see `WorkerSpec.tenant`.
        wrapper: see `WorkerSpec.wrapper`.
    """
    tools = {"PATH": f"{{folder}}/{BUILD_FOLDER}/{TOOLS_FOLDER}:{{path}}"} if build else {}
    spec = WorkerSpec(
        argv=(
            WORKER_PATH,
            "{fd}",
            "{shared}",
            str(limits.memory_bytes),
            str(machine.threads),
            "cpu" if machine.kind == "cpu" else "cuda:0",
        ),
        env={**base_environment(machine), **tools, **(env or {})},
        memory_bytes=limits.memory_bytes + BASE_MEMORY_BYTES,
        files={BUILD_FOLDER: str(build)} if build else {},
        cores=machine.cores,
        shared_bytes=limits.memory_bytes,
        readable=tuple(filter(None, (env or {}).get("CPATH", "").split(os.pathsep))),
        tenant=tenant,
        wrapper=wrapper,
        warm=not wrapper and "LD_PRELOAD" not in (env or {}),
    )
    process = machine.sandbox.start(spec)
    timeout_s = timeout_s or limits.call_timeout_s
    return WorkerClient(process, limits.memory_bytes, timeout_s, machine.kind)


def base_environment(machine: Machine) -> dict[str, str]:
    """Return the variables of every worker: build folders, thread count, and its only GPU."""
    gpu = {} if machine.kind == "cpu" else {"CUDA_VISIBLE_DEVICES": gpu_uuid(machine.device)}
    return {
        **gpu,
        "OMP_NUM_THREADS": str(machine.threads),
        "TORCH_EXTENSIONS_DIR": f"{{folder}}/{BUILD_FOLDER}",
        "TORCHINDUCTOR_CACHE_DIR": f"{{folder}}/{BUILD_FOLDER}/inductor",
        **QUICK_INDUCTOR,
        "TRITON_CACHE_DIR": f"{{folder}}/{BUILD_FOLDER}/triton",
    }


def await_start(client: WorkerClient) -> dict[str, object]:
    """Wait until the worker answers. Raises InfrastructureError if it does not."""
    try:
        return client.hello(START_TIMEOUT_S)
    except WorkerFault as fault:
        raise InfrastructureError(
            f"a worker did not start: {fault.reason}", hint="`kernelwright doctor` checks torch"
        ) from fault
