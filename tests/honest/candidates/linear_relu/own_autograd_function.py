"""A torch.autograd.Function, so that the fused form could be trained as well."""

import torch
from torch import nn


class LinearRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        y = torch.relu(torch.addmm(bias, x, weight.t()))
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, y = ctx.saved_tensors
        grad = grad * (y > 0)
        return grad @ weight, grad.t() @ x, grad.sum(0)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return LinearRelu.apply(x, self.linear.weight, self.linear.bias)


def get_inputs():
    # Left from trying it out by hand; nobody else needs it.
    return [torch.randn(64, 256)]


def get_init_inputs():
    return [256, 256]


if __name__ == "__main__":
    model = ModelNew(*get_init_inputs())
    print(model(*get_inputs()).shape)
