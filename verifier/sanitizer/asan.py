"""A C++ candidate run under the sanitizers, and what these say as flags of the verdict.

This finds mistakes. It is no wall: code that wants to can tell that it is being watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kernelwright.backends.cpp import compiler
from kernelwright.schema import Candidate, Flag
from kernelwright.verifier.inside import instrumented
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.seeds import derived_seed
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.sanitizer.rebuild import (
    LIBRARIES,
    sanitizer_libraries,
    start_instrumented,
    was_rebuilt,
)
from kernelwright.verifier.sanitizer.report import find_report
from kernelwright.verifier.sanitizer.wording import place, words
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import START_TIMEOUT_S
from kernelwright.verifier.worker.tensor_tree import TensorTree

UNAVAILABLE: Final = "sanitizer-unavailable"
INCOMPLETE: Final = "sanitizer-incomplete"
# A file that includes torch/extension.h takes 30 s instead of 17, and has no precompiled header.
BUILD_SLOWDOWN = 3.0


class SanitizedInputs(NamedTuple):
    """A workload, and the inputs of the calls that are watched."""

    prepared: PreparedWorkload
    sets: tuple[TensorTree, ...]


def sanitized_inputs(live: LiveWorkload) -> SanitizedInputs:
    """Return inputs of two calls, since some errors need what an earlier call left.

    Raises:
        InfrastructureError: the reference fails.
    """
    fresh = live.fresh_case(live.prepared, "reference").inputs
    return SanitizedInputs(live.prepared, (live.prepared.example_inputs, fresh))


def sanitizer_flags(
    candidate: Candidate, reference: Reference, inputs: Sequence[SanitizedInputs]
) -> list[Flag]:
    """Return what the sanitizers find in a `cpp` candidate on every workload.

    The reference's workers are not asked for anything, so that they can do other work meanwhile.

    Returns:
        At most one flag: a refusal for an error in the candidate's own code, else a word about
        what could not be looked at. A worker ends at its first error.

    Raises:
        InfrastructureError: no worker can be started.
    """
    libraries = sanitizer_libraries(compiler())
    if libraries is None:
        why = f"{compiler()} comes without {' and '.join(LIBRARIES)} here"
        return [flag(UNAVAILABLE, why)]
    client = start_instrumented(reference, libraries)
    try:
        return _watched(client, candidate, reference, inputs)
    finally:
        client.process.kill()


def _watched(
    client: WorkerClient,
    candidate: Candidate,
    reference: Reference,
    inputs: Sequence[SanitizedInputs],
) -> list[Flag]:
    try:
        client.hello(START_TIMEOUT_S)
    except WorkerFault as fault:
        return [flag(UNAVAILABLE, f"a worker does not start under it: {fault.reason}")]
    for prepared, sets in inputs:
        try:
            instance = _load(client, candidate, prepared, reference)
        except WorkerFault as fault:
            what = f"it does not build or load under it: {fault.reason}"
            return [_found(client, candidate, prepared) or flag(UNAVAILABLE, what)]
        try:
            _call(instance, prepared, sets, reference.seed)
        except WorkerFault as fault:
            what = f"workload {prepared.workload.name!r} ended without a report: {fault.reason}"
            return [_found(client, candidate, prepared) or flag(INCOMPLETE, what)]
    if not was_rebuilt(client):
        return [flag(UNAVAILABLE, f"none of its code was compiled by {compiler()}")]
    return []


def _load(
    client: WorkerClient, candidate: Candidate, prepared: PreparedWorkload, reference: Reference
) -> Instance:
    own = client.write("candidate.py", candidate.source)
    last = f"\nbuild = watched({own!r}, {candidate.entry_point!r})\n"
    path = client.write("instrumented.py", Path(instrumented.__file__).read_text() + last)
    timeout_s = BUILD_SLOWDOWN * reference.task.limits.build_timeout_s
    key, init = prepared.workload.name, prepared.init
    instance = Instance.load(client, prepared.kind, key, path, "build", init, timeout_s)
    instance.set_state(prepared.state)
    return instance


def _call(
    instance: Instance, prepared: PreparedWorkload, sets: Sequence[TensorTree], seed: int
) -> None:
    instance.set_inputs(prepared.input_buffer(sets))
    seeds = (
        [derived_seed(seed, "sanitized", slot) for slot in range(len(sets))]
        if prepared.traits.uses_rng
        else None
    )
    instance.run(range(len(sets)), seeds)


def _found(client: WorkerClient, candidate: Candidate, prepared: PreparedWorkload) -> Flag | None:
    report = find_report(client.process.stderr())
    if report is None:
        return None
    what, where = words(report, prepared.specs), f"workload {prepared.workload.name!r}"
    at = place(report, candidate.source, Path(client.process.inside))
    if at is None:
        return flag(INCOMPLETE, f"{what}, {where}, outside the candidate's C++")
    return flag(report.rule, f"{what}, {at}, {where}")
