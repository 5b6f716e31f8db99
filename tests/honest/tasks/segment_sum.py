import torch
from torch import nn

EDGES = 512
NODES = 64
FEATURES = 64


class Model(nn.Module):
    """Messages along edges, summed at the nodes that they lead to."""

    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def forward(self, messages, target):
        total = torch.zeros(self.nodes, messages.shape[1])
        return total.index_add_(0, target, messages)


def get_inputs():
    return [torch.randn(EDGES, FEATURES), torch.randint(NODES, (EDGES,))]


def get_init_inputs():
    return [NODES]
