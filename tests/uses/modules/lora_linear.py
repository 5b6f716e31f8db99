import torch
from torch import nn


class Model(nn.Module):
    """A frozen linear layer with a low-rank adapter that can be switched off."""

    def __init__(self, in_features, out_features, r=8, lora_alpha=16, lora_dropout=0.0):
        super().__init__()
        self.base = nn.Linear(in_features, out_features)
        self.base.weight.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(r, in_features) / in_features**0.5)
        self.lora_B = nn.Parameter(torch.randn(out_features, r) / r**0.5)
        self.drop = nn.Dropout(lora_dropout)
        self.r = r
        self.lora_alpha = lora_alpha
        self.enabled = True

    @property
    def scaling(self):
        return self.lora_alpha / self.r

    def forward(self, x):
        result = self.base(x)
        if self.enabled:
            result = result + self.drop(x) @ self.lora_A.t() @ self.lora_B.t() * self.scaling
        return result


def get_inputs():
    return [torch.randn(256, 256)]


def get_init_inputs():
    return [256, 256]
