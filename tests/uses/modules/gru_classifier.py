import torch
from torch import nn


class Model(nn.Module):
    """The last state of a GRU, classified."""

    def __init__(
        self, input_size=32, hidden_size=64, num_layers=1, classes=10, bidirectional=False
    ):
        super().__init__()
        self.gru = nn.GRU(
            input_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), classes)

    def forward(self, x, h0=None):
        out, hn = self.gru(x, h0)
        return {"logits": self.head(out[:, -1]), "state": hn}


def get_inputs():
    return [torch.randn(16, 24, 32)]


def get_init_inputs():
    return []
