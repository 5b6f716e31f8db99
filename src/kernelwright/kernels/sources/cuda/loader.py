import torch
from torch import nn


def compile_cuda(source, name):
    """A kernel for this GPU, by torch's NVRTC: the kernel alone, in tenths of a second, no nvcc.

    Call it with grid, block and args: a tensor is passed as its address, an integer as `int`, any
    other number as `double`.
    """
    return torch.cuda._compile_kernel(source, name)


def dense(x, dtype=torch.float32):
    """The tensor, contiguous; raises where the kernels here would read something else."""
    if x.dtype != dtype or not x.is_cuda:
        raise TypeError(f"expected a {dtype} CUDA tensor, got {x.dtype} on {x.device}")
    return x.contiguous()


def parameter(x, like, dtype=torch.float32):
    """A dense parameter; for None an empty tensor, whose address is a null pointer."""
    return torch.empty(0, dtype=dtype, device=like.device) if x is None else dense(x, dtype)


def fits(condition, *tensors):
    """Raise ValueError, with the shapes, where operands do not fit together."""
    if not condition:
        shapes = ", ".join(str(list(x.shape)) for x in tensors if x is not None)
        raise ValueError(f"the kernel can't take shapes {shapes}")
