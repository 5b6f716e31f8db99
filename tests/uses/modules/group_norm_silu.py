import torch
from torch import nn

CHANNELS = 64


class Model(nn.Module):
    """The start of a diffusion model's residual block, with an optional time embedding."""

    def __init__(self, channels: int, groups: int = 8, eps: float = 1e-5):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=eps)
        self.act = nn.SiLU()

    def forward(self, x, emb=None):
        h = self.act(self.norm(x))
        if emb is not None:
            h = h + emb[:, :, None, None]
        return h


def get_inputs():
    return [torch.randn(4, CHANNELS, 24, 24), torch.randn(4, CHANNELS)]


def get_init_inputs():
    return [CHANNELS]
