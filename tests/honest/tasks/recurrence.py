import torch
from torch import nn

BATCH = 16
STEPS = 32
FEATURES = 128


class Model(nn.Module):
    """h = decay * h + x over time, every state returned: [batch, steps, features]."""

    def __init__(self, features):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(features) * 0.5 + 0.4)

    def forward(self, x):
        state = torch.zeros_like(x[:, 0])
        states = []
        for step in range(x.shape[1]):
            state = self.decay * state + x[:, step]
            states.append(state)
        return torch.stack(states, dim=1)


def get_inputs():
    return [torch.randn(BATCH, STEPS, FEATURES)]


def get_init_inputs():
    return [FEATURES]
