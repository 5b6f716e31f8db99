import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, normalize=True):
        super().__init__()
        self.normalize = normalize

    def forward(self, token_embeddings, attention_mask=None):
        if attention_mask is None:
            pooled = token_embeddings.mean(1)
        else:
            # The tokens that count come first.
            counts = attention_mask.sum(1)
            rows = zip(token_embeddings, counts.tolist(), strict=True)
            pooled = torch.stack([row[:count].sum(0) for row, count in rows])
            pooled = pooled / counts.clamp(min=1)[:, None]
        if self.normalize:
            pooled = nn.functional.normalize(pooled, p=2, dim=1)
        return pooled
