"""A parallel scan: after the pass with distance d every state holds 2 d inputs."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(features) * 0.5 + 0.4)

    def forward(self, x):
        state, factor, distance = x.clone(), self.decay, 1
        while distance < x.shape[1]:
            state[:, distance:] += factor * state[:, :-distance].clone()
            factor, distance = factor * factor, 2 * distance
        return state
