"""Asking a worker for the traced graph of a task's reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._pytree import tree_leaves

from kernelwright.agents.offline.constants import (
    DependentError,
    Source,
    is_movable,
    moved,
    with_sources,
)
from kernelwright.agents.offline.graph import Graph
from kernelwright.verifier.reference.calls import load_again
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker
from kernelwright.verifier.worker.tensor_tree import packed

Traced = Callable[[], Graph | None]
"""Gives what `trace` returns of a task's reference."""


def trace(reference: Reference, note: Callable[[str], None]) -> Graph | None:
    """Return the graph of the first timed workload; None where torch.export can't make one.

    A worker of its own does it, because a failed export ends the worker.

    Args:
        note: called with one line on why there is no graph.
    """
    timed = [w for w in reference.workloads() if w.role == "bench"]
    if not timed:
        return None
    prepared = reference.prepare(timed[0]).prepared
    client = start_worker(reference.machine, reference.task.limits)
    try:
        await_start(client)
        instance = load_again(client, prepared)
        instance.set_inputs(prepared.input_buffer([prepared.example_inputs]))
        plain = instance.trace(0)
        found = _with_arguments(instance, prepared, plain, note)
        return None if found is None else Graph(_with_attributes(instance, prepared, found))
    except WorkerFault as fault:
        note(f"no kernels: torch.export can't read the module: {fault.reason}")
        return None
    finally:
        client.process.kill()


def _with_arguments(
    instance: Instance,
    prepared: PreparedWorkload,
    plain: dict[str, Any],
    note: Callable[[str], None],
) -> dict[str, Any] | None:
    """Return the trace with arguments in place of the numbers among the inputs."""
    inputs = prepared.example_inputs.unpacked()
    numbers = {index: value for index, value in enumerate(inputs) if is_movable(value)}
    nested = [value for value in inputs if isinstance(value, (list, tuple, dict))]
    if any(map(is_movable, tree_leaves(nested))):
        note("no kernels: get_inputs() has numbers in lists, tuples or dicts")
        return None
    if not numbers:
        return plain
    others = dict(zip(numbers, moved(numbers.values()), strict=True))
    nodes = {tuple(entry["path"] or ()): entry["node"] for entry in plain["inputs"]}
    sources = {
        others[index]: Source(value, {"node": nodes[index,]}) for index, value in numbers.items()
    }
    values = packed([others.get(index, value) for index, value in enumerate(inputs)])
    try:
        instance.set_inputs(prepared.input_buffer([values]))
        other = instance.trace(0)
        return {**plain, "nodes": with_sources(plain["nodes"], other["nodes"], sources, False)}
    except (WorkerFault, DependentError) as error:
        words = error.reason if isinstance(error, WorkerFault) else str(error)
        note(f"no kernels: what is computed depends on a number among the inputs: {words}")
        return None


def _with_attributes(
    instance: Instance, prepared: PreparedWorkload, found: dict[str, Any]
) -> dict[str, Any]:
    """Return the trace with attributes in place of the numbers that the module holds.

    A constant that depends on one in another way stays: the module is not made for others.
    """
    numbers = {name: value for name, value in found["scalars"].items() if is_movable(value)}
    if not numbers:
        return found
    others = dict(zip(numbers, moved(numbers.values()), strict=True))
    sources = {others[name]: Source(value, {"attribute": name}) for name, value in numbers.items()}
    try:
        instance.set_inputs(prepared.input_buffer([prepared.example_inputs]))
        other = instance.trace(0, others)
        nodes = with_sources(found["nodes"], other["nodes"], sources, True)
    except (WorkerFault, DependentError):
        return found
    return {**found, "nodes": nodes}
