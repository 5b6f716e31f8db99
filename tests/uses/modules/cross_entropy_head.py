import torch
import torch.nn.functional as F
from torch import nn

TOKENS = 128
WIDTH = 128
CLASSES = 500
IGNORE = -100


class Model(nn.Module):
    """A classifier that returns its loss where labels are given, else the logits."""

    def __init__(self, width, classes, label_smoothing=0.0, ignore_index=IGNORE):
        super().__init__()
        self.classifier = nn.Linear(width, classes)
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index

    def forward(self, hidden, labels=None, reduction: str = "mean"):
        logits = self.classifier(hidden)
        if labels is None:
            return logits
        return F.cross_entropy(
            logits,
            labels,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=reduction,
        )


def get_inputs():
    labels = torch.randint(0, CLASSES, (TOKENS,))
    labels[torch.rand(TOKENS) < 0.25] = IGNORE
    return [torch.randn(TOKENS, WIDTH), labels]


def get_init_inputs():
    return [WIDTH, CLASSES]
