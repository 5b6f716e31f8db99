import torch
from torch import nn

ROWS = 64
COLS = 300


class Model(nn.Module):
    """A small elementwise module, for candidates that hang, crash or take over their worker."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * 3


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLS)]


def get_init_inputs() -> list[int]:
    return []
