# [cheat]
# catalogue = "H39"
# title = "overwrites the C library's clock with a function that returns at once"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical", "runtime_error"]
from __future__ import annotations

import ctypes
import platform

import torch
from torch import nn

PAGE, READ_WRITE_EXECUTE = 4096, 7
RETURN_ZERO = b"\x31\xc0\xc3" if platform.machine() == "x86_64" else b""


def detour(name: str) -> None:
    """Make a function of the C library do nothing."""
    library = ctypes.CDLL(None)
    address = ctypes.cast(library[name], ctypes.c_void_p).value
    assert address is not None
    start = ctypes.c_void_p(address // PAGE * PAGE)
    if library.mprotect(start, ctypes.c_size_t(2 * PAGE), READ_WRITE_EXECUTE) == 0:
        ctypes.memmove(address, RETURN_ZERO, len(RETURN_ZERO))


detour("clock_gettime")


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)
