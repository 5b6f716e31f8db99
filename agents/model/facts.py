"""Gathering what a model is told of a task's reference: times, roof, operators, graph, versions.

A worker of its own is timed and profiled, so that the baselines' workers stay as they are.
"""

from __future__ import annotations

import platform
import statistics
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import torch

from kernelwright.agents.model.traced import category, dtypes, lines
from kernelwright.agents.offline.trace import Traced
from kernelwright.sandbox.leases import lease
from kernelwright.schema import Facts
from kernelwright.verifier.profiling.evidence import (
    PROFILED_CALLS,
    kernel_facts,
    operator_facts,
    roof_of,
)
from kernelwright.verifier.profiling.roofline import Roof
from kernelwright.verifier.reference.calls import load_again
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import await_start, start_worker

ROUNDS, ROUND_S = 7, 0.1
SET_BYTES, MOST_SETS = 2**26, 32
"""Inputs and results lie in so many places in turn: caches are as cold as before the judge."""


def gather(reference: Reference, traced: Traced) -> Facts:
    """Return the facts on a reference's first timed workload; what can't be had is left out.

    Args:
        traced: gives the reference's graph.

    Raises:
        InfrastructureError: no worker starts, or the machine's bandwidth can't be measured.
    """
    timed = next((one for one in reference.workloads() if one.role == "bench"), None)
    if timed is None:
        return Facts(versions=_versions(reference))
    live = reference.prepare(timed)
    eager_us, times = _times(reference, live)
    roof = roof_of(reference, live)
    graph = traced()
    return Facts(
        category=category(graph) if graph else None,
        dtypes=dtypes(graph) if graph else (),
        bound=roof.bound,
        bytes_moved=roof.bytes_moved,
        times=times,
        roof=_roof(roof, eager_us),
        graph=lines(graph) if graph else (),
        versions=_versions(reference),
    )


def _times(reference: Reference, live: LiveWorkload) -> tuple[float | None, tuple[str, ...]]:
    """Return eager's microseconds a call, and that and its operators in lines."""
    prepared = live.prepared
    sets = max(1, min(MOST_SETS, SET_BYTES // max(prepared.call_bytes, 1)))
    client = start_worker(reference.machine, reference.task.limits)
    try:
        await_start(client)
        instance = load_again(client, prepared)
        instance.set_inputs(prepared.input_buffer([prepared.example_inputs] * sets))
        with lease(reference.machine.devices):
            call_s = [instance.run([0]).worker_seconds for _ in range(2)][-1]  # one to warm up
            calls = max(1, min(sets, int(ROUND_S / max(call_s, 1e-9))))
            rounds = ROUNDS if call_s < ROUND_S else 1
            ran = [instance.run(range(calls)).worker_seconds for _ in range(rounds)]
            rows = instance.profile(0, PROFILED_CALLS)
    except WorkerFault:
        return None, ()
    finally:
        client.process.kill()
    eager_us = statistics.median(ran) / calls * 1e6
    tell = operator_facts if reference.machine.kind == "cpu" else kernel_facts
    time = f"eager takes about {eager_us:,.1f} us a call on {live.name!r}"
    return eager_us, (time, *tell(rows, PROFILED_CALLS * eager_us))


def _roof(roof: Roof, eager_us: float | None) -> tuple[str, ...]:
    share = f", {roof.time_us / eager_us:.0%} of eager's time" if eager_us else ""
    return (*roof.words(), f"so the roof is {roof.time_us:,.1f} us a call{share} (an estimate)")


def _versions(reference: Reference) -> tuple[str, ...]:
    found = [f"Python {platform.python_version()}", f"torch {version('torch')}"]
    if reference.machine.kind != "cpu":
        found += [f"CUDA {torch.version.cuda}"] if torch.version.cuda else []
        with suppress(PackageNotFoundError):
            found.append(f"triton {version('triton')}")
    return (f"Versions: {', '.join(found)}",)
