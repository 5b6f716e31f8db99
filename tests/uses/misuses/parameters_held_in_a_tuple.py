from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, width, hidden=None, act="gelu", use_bias=True, dropout=0.0):
        super().__init__()
        hidden = hidden or 4 * width
        self.up = nn.Linear(width, hidden, bias=use_bias)
        self.down = nn.Linear(hidden, width, bias=use_bias)
        self.fast = (self.up.weight, self.up.bias, self.down.weight, self.down.bias)
        self.act = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}[act]

    def forward(self, x):
        up, up_bias, down, down_bias = self.fast
        h = F.linear(x, up, up_bias)
        return F.linear(self.act(h), down, down_bias)
