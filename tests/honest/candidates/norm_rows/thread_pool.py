"""Two halves of the rows on two threads, both joined before the result is returned."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.bias = nn.Parameter(torch.randn(cols))

    def forward(self, x):
        out = torch.empty_like(x)

        @torch.no_grad()
        def work(rows):
            shape = (x.shape[-1],)
            out[rows] = F.layer_norm(x[rows], shape, self.weight, self.bias)

        half = x.shape[0] // 2
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(work, (slice(0, half), slice(half, None))))
        return out
