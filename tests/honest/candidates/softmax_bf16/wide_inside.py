"""exp and sum in float32, one rounding at the end."""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        wide = x.float()
        powers = wide.sub_(wide.amax(dim=-1, keepdim=True)).exp_()
        return powers.div_(powers.sum(dim=-1, keepdim=True)).to(x.dtype)
