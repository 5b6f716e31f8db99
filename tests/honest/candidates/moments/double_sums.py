"""Sum and sum of squares in float64, where their difference loses nothing that matters."""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        wide = x.double()
        n = x.shape[-1]
        total, squares = wide.sum(dim=-1), wide.square().sum(dim=-1)
        mean = total / n
        variance = (squares - total * mean).clamp_(min=0) / (n - 1)
        return mean.to(x.dtype), variance.to(x.dtype)
