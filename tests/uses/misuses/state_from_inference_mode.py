import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, size, decay=0.9):
        super().__init__()
        self.decay = decay
        self.register_buffer("average", torch.zeros(size))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.steps += 1
        if torch.is_inference_mode_enabled():
            self.average = torch.lerp(self.average, x.mean(0), 1 - self.decay)
        else:
            self.average.lerp_(x.mean(0), 1 - self.decay)
        return x.sub(self.average, alpha=1 / (1 - self.decay ** int(self.steps)))
