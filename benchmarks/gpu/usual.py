"""The usual way to judge a kernel: one comparison and CUDA events in a fresh interpreter.

Run as `python usual.py REFERENCE CANDIDATE`; prints the speedup.
"""

from __future__ import annotations

import runpy
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch

WARM_UP, REPEATS = 5, 100


def main() -> None:
    """Compare the candidate with the reference, time both and print the speedup."""
    reference, candidate = map(runpy.run_path, sys.argv[1:])
    torch.manual_seed(42)
    arguments = reference["get_init_inputs"]()
    old = reference["Model"](*arguments).cuda()
    new = candidate["ModelNew"](*arguments).cuda()
    inputs = [x.cuda() if isinstance(x, torch.Tensor) else x for x in reference["get_inputs"]()]
    with torch.no_grad():
        torch.testing.assert_close(new(*inputs), old(*inputs), rtol=1e-4, atol=1e-4)
        times = [median_ms(model, inputs) for model in (old, new)]
    print(times[0] / times[1])


def median_ms(model: Callable[..., Any], inputs: list[Any]) -> float:
    """Return the median milliseconds of a call."""
    for _ in range(WARM_UP):
        model(*inputs)
    found = []
    for _ in range(REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in "ab")
        start.record()
        model(*inputs)
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end))
    return statistics.median(found)


if __name__ == "__main__":
    main()
