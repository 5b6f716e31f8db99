"""The build of a candidate, which is imported and called once, in a worker of its own.

The inputs of that call are never used for the verdict.
"""

from __future__ import annotations

import time
from pathlib import Path

from kernelwright.backends.base import Backend
from kernelwright.schema import Candidate
from kernelwright.verifier.build.cache import Build, build_key, keep, kept_object_code
from kernelwright.verifier.build.contents import BUILDS
from kernelwright.verifier.build.notes import start_noting
from kernelwright.verifier.build.object_code import inspect_object_code
from kernelwright.verifier.integrity.compiled import calls_compile
from kernelwright.verifier.reference.candidates import run_every_workload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.start import BUILD_FOLDER, await_start, start_worker


def build_candidate(
    candidate: Candidate,
    backend: Backend,
    reference: Reference,
    cache: Path,
    made_from: Candidate | None = None,
) -> Build:
    """Return the candidate's build, from the cache or made now.

    Args:
        made_from: a candidate that this one is a delivery of, and so holds the same kernels. A file
            that calls torch.compile begins with its build, where that is kept.

    Raises:
        WorkerFault: the candidate does not compile, import, or survive one call.
    """
    task, machine = reference.task, reference.machine
    folder = cache / BUILDS / build_key(candidate, backend, task, machine)
    known = kept_object_code(folder)
    if known is not None:
        return Build(folder, None, known)
    start = time.monotonic()
    limits, first = task.limits, None
    if made_from is not None and calls_compile(candidate.source):
        first = cache / BUILDS / build_key(made_from, backend, task, machine)
        first = first if kept_object_code(first) is not None else None
    env = {**backend.variables(machine.kind), **backend.environment(candidate, cache)}
    if first is None:
        client = start_noting(machine, limits, env, candidate, limits.build_timeout_s)
    else:
        client = start_worker(machine, limits, env, first, limits.build_timeout_s)
    try:
        await_start(client)
        run_every_workload(client, candidate, reference)
        object_code = inspect_object_code(client)
        keep(client.process.folder / BUILD_FOLDER, folder, object_code)
    finally:
        client.process.kill()
    return Build(folder, time.monotonic() - start, object_code)
