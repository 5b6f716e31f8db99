import torch
from torch import nn


class Base(nn.Module):
    """The part that all heads share: forward asks the subclass for the activation."""

    slope = 0.01

    def __init__(self, features, classes):
        super().__init__()
        self.hidden = nn.Linear(features, features)
        self.out = nn.Linear(features, classes)

    def activation(self, x):
        raise NotImplementedError

    def forward(self, x, log: bool = False):
        logits = self.out(self.activation(self.hidden(x)))
        return logits.log_softmax(-1) if log else logits.softmax(-1)


class Model(Base):
    """A head with a leaky rectifier."""

    slope = 0.05

    def activation(self, x):
        return nn.functional.leaky_relu(x, self.slope)


def get_inputs():
    return [torch.randn(128, 256)]


def get_init_inputs():
    return [256, 100]
