import torch
from torch import nn


class MlpBlock(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class MixerBlock(nn.Module):
    def __init__(self, tokens, dim):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.mlp_tokens = MlpBlock(tokens, tokens * 2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp_channels = MlpBlock(dim, dim * 2)

    def forward(self, x):
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class Model(nn.Module):
    """MLP-Mixer: blocks that mix tokens, then channels."""

    def __init__(self, tokens, dim, depth=2, num_classes=10):
        super().__init__()
        self.blocks = nn.ModuleList([MixerBlock(tokens, dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))


def get_inputs():
    return [torch.randn(4, 49, 96)]


def get_init_inputs():
    return [49, 96]
