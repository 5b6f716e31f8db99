import torch
from torch import nn


class Model(nn.Module):
    """WaveNet's gated causal convolution, with residual and skip outputs."""

    def __init__(self, channels, kernel_size=3, dilation=2):
        super().__init__()
        self.left = (kernel_size - 1) * dilation
        self.filter = nn.Conv1d(channels, channels, kernel_size, dilation=dilation)
        self.gate = nn.Conv1d(channels, channels, kernel_size, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x, condition=None):
        padded = nn.functional.pad(x, (self.left, 0))
        f, g = self.filter(padded), self.gate(padded)
        if condition is not None:
            f, g = f + condition, g + condition
        skip = self.mix(torch.tanh(f) * torch.sigmoid(g))
        return x + skip, skip


def get_inputs():
    return [torch.randn(4, 32, 256), torch.randn(4, 32, 1)]


def get_init_inputs():
    return [32]
