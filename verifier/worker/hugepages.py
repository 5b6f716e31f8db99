"""A pool of huge-page buffers; faulting in new pages costs more than copying."""

from __future__ import annotations

import mmap
import weakref

import numpy as np
import torch

PAGE_BYTES = 2**21
KEPT_BYTES = 2**26
_free: dict[int, list[mmap.mmap]] = {}


def pooled_buffer(nbytes: int) -> torch.Tensor:
    """Return uninitialized memory of so many bytes, in huge pages where the system has them."""
    size = -(-nbytes // PAGE_BYTES) * PAGE_BYTES
    try:
        memory = _free.setdefault(size, []).pop()
    except IndexError:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
    # The tensor and its views hold the array, and nothing else does.
    array = np.frombuffer(memory, np.uint8)
    weakref.finalize(array, _give_back, memory).atexit = False
    return torch.from_numpy(array)[:nbytes]


def _give_back(memory: mmap.mmap) -> None:
    kept = sum(size * len(buffers) for size, buffers in list(_free.items()))
    if kept + len(memory) <= KEPT_BYTES:
        _free.setdefault(len(memory), []).append(memory)
