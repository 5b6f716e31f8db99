"""Candidates for `library/softmax` that try to get a better verdict on a GPU than they deserve."""

from __future__ import annotations

HEAD = """
import torch
from torch import nn

"""
GRAPH = """
class ModelNew(nn.Module):
    def forward(self, x):
        if not hasattr(self, "graph"):
            self.graph, self.x = torch.cuda.CUDAGraph(), x.clone()
            torch.softmax(self.x, -1)
            with torch.cuda.graph(self.graph):
                self.y = torch.softmax(self.x, -1)"""
CHEATS = {
    "graph of stale inputs": GRAPH
    + """
        self.graph.replay()
        return self.y.clone()
""",
    "graph with one output for all calls": GRAPH
    + """
        self.x.copy_(x)
        self.graph.replay()
        return self.y
""",
    "results kept by address": """
KNOWN = {}
class ModelNew(nn.Module):
    def forward(self, x):
        if x.data_ptr() not in KNOWN:
            KNOWN[x.data_ptr()] = torch.softmax(x, -1)
        return KNOWN[x.data_ptr()].clone()
""",
    "half of the rows": """
class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        y[: len(x) // 2] = torch.softmax(x[: len(x) // 2], -1)
        return y
""",
    "another precision": """
class ModelNew(nn.Module):
    def forward(self, x):
        return torch.softmax(x.to(torch.bfloat16), -1).float()
""",
    "memory that nobody wrote": """
class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.softmax(x, -1)
        del y
        return torch.empty_like(x)
""",
    "work on a stream that nobody waits for, and events that lie": """
SIDE = torch.cuda.Stream()
torch.cuda.synchronize = lambda *_: None
torch.cuda.Event.elapsed_time = lambda *_: 1e-3
class ModelNew(nn.Module):
    def forward(self, x):
        SIDE.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(SIDE):
            return torch.softmax(x, -1)
""",
    "a thread that computes before it is asked": """
import threading
KNOWN = {}
def ahead(x):
    while True:
        KNOWN[x.data_ptr()] = torch.softmax(x, -1)
class ModelNew(nn.Module):
    def forward(self, x):
        if x.data_ptr() not in KNOWN:
            KNOWN[x.data_ptr()] = torch.softmax(x, -1)
            threading.Thread(target=ahead, args=(x,), daemon=True).start()
        return KNOWN[x.data_ptr()].clone()
""",
}


def source(name: str) -> str:
    """Return the text of a cheat's file."""
    return HEAD + CHEATS[name]
