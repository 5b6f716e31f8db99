"""How often each word occurs, times the table: one product."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, entries, features):
        super().__init__()
        self.table = nn.Embedding(entries, features)

    def forward(self, ids):
        counts = torch.zeros(ids.shape[0], self.table.num_embeddings)
        counts.scatter_add_(1, ids, torch.ones_like(ids, dtype=torch.float32))
        return counts @ self.table.weight
