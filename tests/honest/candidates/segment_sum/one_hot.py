"""A product with the one-hot matrix of targets."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def forward(self, messages, target):
        return F.one_hot(target, self.nodes).to(messages.dtype).T @ messages
