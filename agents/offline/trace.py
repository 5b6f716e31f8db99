"""Asking a worker for the traced graph of a task's reference."""

from __future__ import annotations

from kernelwright.agents.offline.graph import Graph
from kernelwright.verifier.reference.calls import CONSTRUCTOR_SEED, set_inputs
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import await_start, start_worker


def trace(reference: Reference) -> Graph | None:
    """Return the graph of the first timed workload; None where torch.export can't make one.

    A worker of its own does it, because a failed export ends the worker.
    """
    timed = [w for w in reference.workloads() if w.role == "bench"]
    if not timed:
        return None
    prepared = reference.prepare(timed[0])
    key = prepared.workload.name
    client = start_worker(reference.machine, reference.task.limits)
    try:
        await_start(client)
        path = client.write("reference.py", prepared.source)
        client.load(key, path, "Model", CONSTRUCTOR_SEED, prepared.init)
        set_inputs(client, prepared, [prepared.example_inputs])
        return Graph(client.trace(key, 0))
    except WorkerFault:
        return None
    finally:
        client.process.kill()
