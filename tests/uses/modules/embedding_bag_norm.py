import torch
from torch import nn

ROWS = 2000
DIM = 64
BAGS = 128
PER_BAG = 20


class Model(nn.Module):
    """Bags of words, averaged and normalised."""

    def __init__(self, num_embeddings, embedding_dim, mode="mean", eps=1e-5):
        super().__init__()
        self.embedding = nn.EmbeddingBag(num_embeddings, embedding_dim, mode=mode)
        self.norm = nn.LayerNorm(embedding_dim, eps=eps)

    def forward(self, tokens, per_sample_weights=None):
        return self.norm(self.embedding(tokens, per_sample_weights=per_sample_weights))


def get_inputs():
    return [torch.randint(0, ROWS, (BAGS, PER_BAG))]


def get_init_inputs():
    return [ROWS, DIM]
