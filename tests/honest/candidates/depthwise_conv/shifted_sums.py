"""Nine shifted copies of the padded image, each times its tap, added up."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x):
        height, width = x.shape[2:]
        padded = F.pad(x, (1, 1, 1, 1))
        taps = self.conv.weight.view(-1, 9)
        y = self.conv.bias.view(1, -1, 1, 1).expand_as(x).clone()
        for tap in range(9):
            row, col = divmod(tap, 3)
            part = padded[:, :, row : row + height, col : col + width]
            y.addcmul_(part, taps[:, tap].view(1, -1, 1, 1))
        return y
