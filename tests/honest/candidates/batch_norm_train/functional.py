"""The functional form on the module's own buffers, counter included."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        norm = self.norm
        if not self.training:  # evaluation uses what training has gathered
            mean, variance = norm.running_mean, norm.running_var
            return F.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)
        norm.num_batches_tracked.add_(1)
        mean, variance = norm.running_mean, norm.running_var
        state = mean, variance, norm.weight, norm.bias
        return F.batch_norm(x, *state, training=True, momentum=norm.momentum, eps=norm.eps)
