"""torch's fused attention, made contiguous before the transpose so that the layout is the same."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v).contiguous().transpose(1, 2)
