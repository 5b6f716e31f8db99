import torch
from torch import nn


class Model(nn.Module):
    """DLRM's interaction: the products of all pairs of features, beside the dense one."""

    def __init__(self, features=16, self_interaction=False):
        super().__init__()
        rows, cols = torch.tril_indices(features, features, 0 if self_interaction else -1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("cols", cols, persistent=False)

    def forward(self, dense, sparse):
        stacked = torch.cat([dense.unsqueeze(1), sparse], dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))
        return torch.cat([dense, products[:, self.rows, self.cols]], dim=1)


def get_inputs():
    return [torch.randn(128, 32), torch.randn(128, 15, 32)]


def get_init_inputs():
    return []
