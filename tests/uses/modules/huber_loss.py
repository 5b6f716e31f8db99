import torch
from torch import nn


class Model(nn.Module):
    """A smooth loss, weighted where weights are given."""

    def __init__(self, beta: float = 1.0, reduction: str = "mean"):
        super().__init__()
        self.beta = beta
        self.reduction = reduction

    def forward(self, prediction, target, weight=None):
        error = (prediction - target).abs()
        loss = torch.where(error < self.beta, 0.5 * error**2 / self.beta, error - 0.5 * self.beta)
        if weight is not None:
            loss = loss * weight
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss


def get_inputs():
    return [torch.randn(512, 256), torch.randn(512, 256), torch.rand(512, 1)]


def get_init_inputs():
    return []
