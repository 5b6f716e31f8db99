"""Time a call on a GPU in other ways than the verdict does: with warm inputs, and as a CUDA graph.

The judge writes this file into a worker's folder; it needs torch only. Nothing here is checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import torch

WARM_UP, REPEATS = 3, 20


def other_times(loaded: Mapping[str, Any], key: str) -> dict[str, float | None]:
    """Return median microseconds of a call in other ways than the verdict's, by CUDA events.

    `warm`: on the same inputs again and again. `graph`: replayed as a CUDA graph; None where it
    can't be captured.
    """
    inputs = loaded[key].slots[0]

    def call() -> None:
        loaded[key].call(*inputs)

    return {"warm": median_us(call), "graph": graph_us(call)}


def graph_us(call: Callable[[], None]) -> float | None:
    """Return the median microseconds of a replay; None where the call can't be captured."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:  # it copies to the CPU, say, or waits for something
        torch.cuda.synchronize()
        return None
    return median_us(graph.replay)


def median_us(call: Callable[[], None]) -> float:
    """Return median microseconds between events in front of and behind each of some calls."""
    for _ in range(WARM_UP):
        call()
    event: Any = torch.cuda.Event
    events = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(REPEATS)]
    for start, end in events:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return 1000 * statistics.median([float(start.elapsed_time(end)) for start, end in events])


def profiled_call(loaded: Mapping[str, Any], key: str) -> None:
    """Make a call between the start and stop marks that a profiler waits for."""
    inputs = loaded[key].slots[0]
    profiler: Any = torch.cuda.profiler
    profiler.start()
    loaded[key].call(*inputs)
    torch.cuda.synchronize()
    profiler.stop()
