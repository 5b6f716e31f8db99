"""Calls of a reference in a worker, and the errors that its faults turn into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kernelwright.errors import InfrastructureError, InvalidReferenceError
from kernelwright.schema import Workload, digest
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.tensor_tree import TensorTree


@contextmanager
def known_to_work() -> Iterator[None]:
    """Turn faults of a reference that worked before into failures of the system.

    Raises:
        InfrastructureError: the reference failed.
    """
    try:
        yield
    except WorkerFault as fault:
        message = f"the reference worked once and then failed: {fault.reason}"
        raise InfrastructureError(message) from fault


def load_reference(
    client: WorkerClient,
    kind: TaskKind,
    workload: Workload,
    source: str,
    init: TensorTree | None = None,
) -> Instance:
    """Build an instance of the reference in a worker.

    Args:
        kind: of the task.
        source: the reference's source, with the workload's sizes.
        init: the constructor's arguments; None: those that the source gives.
    """
    path = client.write(f"reference_{digest(workload.name)[:12]}.py", source)
    return Instance.load(client, kind, workload.name, path, kind.reference, init)


def load_again(client: WorkerClient, prepared: PreparedWorkload) -> Instance:
    """Build another instance of a prepared workload's reference, with its parameters."""
    instance = load_reference(
        client, prepared.kind, prepared.workload, prepared.source, prepared.init
    )
    instance.set_state(prepared.state)
    return instance


def run_once(instance: Instance, prepared: PreparedWorkload, sets: Sequence[TensorTree]) -> None:
    """Call an instance once on each of some input sets."""
    instance.set_inputs(prepared.input_buffer(sets))
    instance.run(range(len(sets)))


def invalid(workload: Workload, fault: WorkerFault) -> InvalidReferenceError:
    """Return the user's error for a fault of a reference's worker."""
    hint = {
        "timeout": "shrink it with --set NAME=VALUE, or give its task.toml [limits] call_timeout_s",
        "out_of_memory": "shrink it with --set NAME=VALUE",
    }.get(
        fault.status.value,
        "a task is one file, and its worker sees nothing beside it; copy the file into an empty "
        "folder and call its Model there to see the error",
    )
    return InvalidReferenceError(
        f"the reference fails on workload {workload.name!r}: {fault.status.value}: {fault.reason}",
        hint=hint,
    )
