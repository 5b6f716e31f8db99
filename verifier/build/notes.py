"""A worker that builds a candidate and has the compiler note what a profile needs.

The candidate compiles itself, so its compiler is told behind its back, as for the sanitizers: g++
looks for the program that does the work in COMPILER_PATH first. There it finds a script that asks
for line numbers and for loops that were not vectorised. Neither changes the machine code.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from kernelwright.backends.cpp import uses_torch_extension
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Limits
from kernelwright.verifier.inside import vectorizer_notes
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import BUILD_FOLDER, TOOLS_FOLDER, start_worker

COMPILER = """#!/bin/sh
real=$(env -u COMPILER_PATH "$COLLECT_GCC" -print-prog-name=cc1plus)
exec "$real" "$@" -g1 -fopt-info-vec-missed="$0.$$.missed"
"""


class Missed(NamedTuple):
    """A loop that the compiler did not vectorise."""

    line: int
    """Number of its line in the C++ that was compiled."""
    reason: str


Line = Annotated[int, Field(ge=1, lt=2**31)]
# On one line: models are shown it outside of fences.
Reason = Annotated[str, Field(max_length=200, pattern=r"^\P{C}*$")]
MISSED = TypeAdapter(list[tuple[Line, Reason]])


def start_noting(
    machine: Machine,
    limits: Limits,
    env: Mapping[str, str],
    candidate: Candidate,
    timeout_s: float,
) -> WorkerClient:
    """Start a worker that builds a candidate, with a compiler that takes notes on C++.

    Not for files with torch's headers: the precompiled ones fit no other flags.

    Raises:
        InfrastructureError: it can't be started.
    """
    if candidate.backend != "cpp" or uses_torch_extension(candidate.source):
        return start_worker(machine, limits, env, timeout_s=timeout_s)
    with tempfile.TemporaryDirectory() as scratch:
        tools = Path(scratch) / TOOLS_FOLDER
        tools.mkdir()
        (tools / "cc1plus").write_text(COMPILER)
        (tools / "cc1plus").chmod(0o755)
        path = {"COMPILER_PATH": f"{{folder}}/{BUILD_FOLDER}/{TOOLS_FOLDER}"}
        return start_worker(machine, limits, {**env, **path}, Path(scratch), timeout_s)


def missed_loops(client: WorkerClient) -> tuple[Missed, ...]:
    """Return the loops that were not vectorised in a build; none where nothing was noted."""
    try:
        found = client.tool(Path(vectorizer_notes.__file__), "missed", folder=TOOLS_FOLDER)
        return tuple(Missed(line, reason) for line, reason in MISSED.validate_python(found))
    except (WorkerFault, ValidationError):
        return ()
