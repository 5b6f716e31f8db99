"""A candidate in a worker of its own, beside the reference's."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.registry import open_backend
from kernelwright.schema import Candidate
from kernelwright.verifier.reference.calls import run_once
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import start_worker

# The call time-out is multiplied by this for an interpreter.
INTERPRETED = 10


def start_candidate(reference: Reference, candidate: Candidate, build: Path) -> WorkerClient:
    """Start a worker for a candidate; it may still be importing torch when this returns.

    Args:
        build: folder of the candidate's build.
    """
    machine, limits = reference.machine, reference.task.limits
    backend = open_backend(candidate.backend)
    slower = 1 if machine.kind in backend.timed_on else INTERPRETED
    return start_worker(
        machine,
        limits,
        backend.variables(machine.kind),
        build=build,
        timeout_s=limits.call_timeout_s * slower,
        tenant=candidate.hash,
    )


def new_instance(
    client: WorkerClient, candidate: Candidate, prepared: PreparedWorkload
) -> Instance:
    """Build an instance for a workload, with weights of its own constructor."""
    path = client.write("candidate.py", candidate.source)
    key, entry = prepared.workload.name, candidate.entry_point
    return Instance.load(client, prepared.kind, key, path, entry, prepared.init)


class LoadedCandidate(NamedTuple):
    """A candidate's instance, and how many of the reference's weights it took."""

    instance: Instance
    copied: int
    """Number of parameters and buffers that were copied."""
    own: int
    """Number of parameters and buffers that it has."""


def load_candidate(
    client: WorkerClient, candidate: Candidate, prepared: PreparedWorkload
) -> LoadedCandidate:
    """Build an instance for a workload and give it the reference's weights."""
    instance = new_instance(client, candidate, prepared)
    return LoadedCandidate(instance, *instance.set_state(prepared.state))


def run_every_workload(client: WorkerClient, candidate: Candidate, reference: Reference) -> None:
    """Load a candidate for every workload, and call it once on each."""
    for workload in reference.workloads():
        prepared = reference.prepare(workload).prepared
        instance = load_candidate(client, candidate, prepared).instance
        run_once(instance, prepared, [prepared.example_inputs])
