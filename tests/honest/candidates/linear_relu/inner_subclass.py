"""A tensor subclass that counts operators in debug runs; what is returned is a plain tensor."""

import os
import sys

import torch
from torch import nn

DEBUG = bool(os.environ.get("DEBUG_LINEAR_RELU"))


class Counted(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if DEBUG:
            print(f"operator {function}", file=sys.stderr)
        return super().__torch_function__(function, types, args, kwargs or {})


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = self.linear(x.as_subclass(Counted))
        return y.relu().as_subclass(torch.Tensor)
