import torch
from torch import nn

ROWS = 128
COLS = 512


class Model(nn.Module):
    """A loss: one number without dimensions."""

    def forward(self, prediction, target):
        return nn.functional.mse_loss(prediction, target)


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)]


def get_init_inputs():
    return []
