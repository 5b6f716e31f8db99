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
from kernelwright.verifier.reference.candidates import run_every_workload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.start import BUILD_FOLDER, await_start


def build_candidate(
    candidate: Candidate, backend: Backend, reference: Reference, cache: Path
) -> Build:
    """Return the candidate's build, from the cache or made now.

    Raises:
        WorkerFault: the candidate does not compile, import, or survive one call.
    """
    folder = cache / BUILDS / build_key(candidate, backend, reference.task, reference.machine)
    known = kept_object_code(folder)
    if known is not None:
        return Build(folder, None, known)
    start = time.monotonic()
    machine, limits = reference.machine, reference.task.limits
    env = {**backend.variables(machine.kind), **backend.environment(candidate, cache)}
    client = start_noting(machine, limits, env, candidate, limits.build_timeout_s)
    try:
        await_start(client)
        run_every_workload(client, candidate, reference)
        object_code = inspect_object_code(client)
        keep(client.process.folder / BUILD_FOLDER, folder, object_code)
    finally:
        client.process.kill()
    return Build(folder, time.monotonic() - start, object_code)
