"""An ordinary module in KernelBench's format: `kernelwright optimize examples/gate.py`."""

import torch
from torch import nn

ROWS, COLUMNS = 64, 1024


class Model(nn.Module):
    """A gate of three pointwise operators, each of which eager PyTorch runs by itself."""

    def forward(self, x):
        return torch.sigmoid(nn.functional.silu(x) + 0.5 * x) * x


def get_inputs():
    return [torch.randn(ROWS, COLUMNS)]


def get_init_inputs():
    return []
