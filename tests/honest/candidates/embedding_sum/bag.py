"""torch's embedding_bag never stores the single embeddings."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, entries, features):
        super().__init__()
        self.table = nn.Embedding(entries, features)

    def forward(self, ids):
        return F.embedding_bag(ids, self.table.weight, mode="sum")
