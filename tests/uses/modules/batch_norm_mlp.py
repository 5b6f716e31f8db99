import torch
from torch import nn


class Model(nn.Module):
    """An MLP with batch normalisation, in training mode: the running statistics move."""

    def __init__(self, in_features, hidden, out_features, momentum=0.1):
        super().__init__()
        self.fc1 = nn.Linear(in_features, hidden, bias=False)
        self.bn1 = nn.BatchNorm1d(hidden, momentum=momentum)
        self.fc2 = nn.Linear(hidden, out_features)

    def forward(self, x):
        return self.fc2(torch.relu(self.bn1(self.fc1(x))))


def get_inputs():
    return [torch.randn(256, 128)]


def get_init_inputs():
    return [128, 256, 64]
