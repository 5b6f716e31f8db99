"""A process that writes attempts and steps of tools: `writer.py DATABASE FIRST COUNT`.

COUNT 0 means without end. It prints each index after the store has taken it.
"""

from __future__ import annotations

import itertools
import sys

from kernelwright.store.store import open_store
from tests.store import samples


def main(location: str, first: int, count: int) -> None:
    with open_store(location) as store:
        indices = itertools.count(first) if count == 0 else range(first, first + count)
        for index in indices:
            store.add_tool_step(samples.RUN_ID, samples.task().id, index, "a", samples.tool_step())
            store.add_attempt(samples.attempt(index))
            store.add_event(samples.RUN_ID, f"attempt {index}")
            print(index, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
