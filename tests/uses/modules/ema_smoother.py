import torch
from torch import nn


class Model(nn.Module):
    """A signal smoothed over calls, with Adam's correction of the start."""

    def __init__(self, size, decay=0.9):
        super().__init__()
        self.decay = decay
        self.register_buffer("average", torch.zeros(size))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.steps += 1
        self.average.mul_(self.decay).add_(x.mean(0), alpha=1 - self.decay)
        return x - self.average / (1 - self.decay ** self.steps.item())


def get_inputs():
    return [torch.randn(128, 256)]


def get_init_inputs():
    return [256]
