import torch
from torch import nn

BATCH = 16
LENGTH = 64
DIM = 128


class Model(nn.Module):
    """Sentence embeddings: the mean of the tokens that count, of unit length."""

    def __init__(self, normalize: bool = True):
        super().__init__()
        self.normalize = normalize

    def forward(self, token_embeddings, attention_mask=None):
        if attention_mask is None:
            pooled = token_embeddings.mean(1)
        else:
            mask = attention_mask.unsqueeze(-1).to(token_embeddings.dtype)
            pooled = (token_embeddings * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        if self.normalize:
            pooled = nn.functional.normalize(pooled, p=2, dim=1)
        return pooled


def get_inputs():
    lengths = torch.randint(1, LENGTH + 1, (BATCH, 1))
    return [torch.randn(BATCH, LENGTH, DIM), (torch.arange(LENGTH) < lengths).long()]


def get_init_inputs():
    return []
