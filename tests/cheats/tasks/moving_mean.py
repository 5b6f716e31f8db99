import torch
from torch import nn

ROWS = 256
COLS = 512


class Model(nn.Module):
    """Subtracts a moving average of the columns, which every call moves."""

    mean: torch.Tensor

    def __init__(self, cols: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.randn(cols))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean.lerp_(x.mean(dim=0), self.momentum)
        return x - self.mean


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLS) + torch.randn(COLS)]


def get_init_inputs() -> list[float]:
    return [COLS, 0.1]
