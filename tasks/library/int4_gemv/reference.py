import torch
from torch import nn

TOKENS = 4
IN_FEATURES = 2048
OUT_FEATURES = 1024
GROUP = 128
GROUPS = IN_FEATURES // GROUP


class Model(nn.Module):
    """x @ dequantise(weight).T with two 4-bit weights per byte, the even one in the low half.

    weight[n, k] = (nibble[n, k] - zeros[n, k // group]) * scales[n, k // group]
    """

    def __init__(self, in_features, out_features, groups):
        super().__init__()
        self.register_buffer(
            "packed", torch.randint(256, (out_features, in_features // 2), dtype=torch.uint8)
        )
        self.register_buffer("scales", (torch.rand(out_features, groups) + 0.5) / in_features**0.5)
        self.register_buffer("zeros", torch.randint(5, 11, (out_features, groups)).float())

    def forward(self, x):
        nibbles = torch.stack([self.packed & 15, self.packed >> 4], dim=-1)
        levels = nibbles.reshape(*self.scales.shape, -1).to(x.dtype)
        weight = (levels - self.zeros[:, :, None]) * self.scales[:, :, None]
        return x @ weight.flatten(1).T


def get_inputs():
    return [torch.randn(TOKENS, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES, GROUPS]
