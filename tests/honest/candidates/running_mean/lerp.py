"""The moving average as one lerp_ towards the batch's mean."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols, momentum):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(cols))

    def forward(self, x):
        self.mean.lerp_(x.sum(dim=0) / x.shape[0], self.momentum)
        return x - self.mean
