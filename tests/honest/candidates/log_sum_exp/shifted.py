"""The maximum is taken out before exp, so that nothing overflows."""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        top = x.amax(dim=-1, keepdim=True)
        return (x - top).exp_().sum(dim=-1).log_() + top.squeeze(-1)
