import torch
import triton
import triton.language as tl
from torch import nn


def dense(x, dtype=torch.float32):
    """The tensor, contiguous; raises where the kernels here would read something else."""
    if x.dtype != dtype:
        raise TypeError(f"expected a {dtype} tensor, got {x.dtype}")
    return x.contiguous()


def parameter(x, dtype=torch.float32):
    """A dense parameter; None for None."""
    return None if x is None else dense(x, dtype)


def fitting(size, most):
    """The power of two that holds `size`, but not more than `most`."""
    return min(most, triton.next_power_of_2(max(1, size)))


def fits(condition, *tensors):
    """Raise ValueError, with the shapes, where operands do not fit together."""
    if not condition:
        shapes = ", ".join(str(list(x.shape)) for x in tensors if x is not None)
        raise ValueError(f"the kernel can't take shapes {shapes}")
