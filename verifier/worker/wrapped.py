"""A worker under one of NVIDIA's tools, which starts it, watches it and writes a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kernelwright.backends.registry import open_backend
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Limits
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.start import START_TIMEOUT_S, start_worker

# Call time-outs are multiplied by this, as the tools slow everything down.
SLOWER = 20
END_S = 120.0
MAX_BYTES = 2**22


@contextmanager
def worker_under(
    command: Sequence[str],
    machine: Machine,
    limits: Limits,
    candidate: Candidate,
    build: Path,
    env: Mapping[str, str],
) -> Iterator[WorkerClient]:
    """Start a worker for a candidate under a tool, and yield its client.

    Args:
        command: the tool's path and options; `{folder}` stands for the worker's folder.

    Raises:
        WorkerFault: the worker does not start under the tool.
    """
    variables = open_backend(candidate.backend).variables(machine.kind)
    timeout_s = SLOWER * limits.call_timeout_s
    client = start_worker(
        machine, limits, {**variables, **env}, build, timeout_s, wrapper=tuple(command)
    )
    try:
        client.hello(START_TIMEOUT_S)
        yield client
    finally:
        client.process.kill()


def written(client: WorkerClient, name: str) -> str:
    """Let a worker end by itself, and return the file that the tool has written to its folder."""
    client.process.thaw()
    client.process.channel.close()
    client.process.exit_status(END_S)
    path = Path(client.process.folder) / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        return file.read(MAX_BYTES).decode(errors="replace")
