"""The commands that made the store, and what their scripted model says to each role."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.llm.loopback import Asked, Loopback, Reply, openai_answer, openai_usage

HERE_ONLY = ("--target", "cpu", "--sandbox", "process")
BENCH = ("bench", "tasks", "-b", "cpp", "-n", "1", *HERE_ONLY)
"""The same again must find its run: its name is made from this."""
FILE = """import torch
from torch import nn

STEPS = 12


class ModelNew(nn.Module):
    def forward(self, x):
BODY"""
IN_PLACE = """        y = x * 0.9 + 0.1
        for _ in range(STEPS - 1):
            y = y.mul_(0.9).add_(0.1)
        return y.tanh_()
"""
CLOSED = """        left = 0.9**STEPS
        return torch.tanh(x * left + (1 - left))
"""
CLOSED_IN_PLACE = """        left = 0.9**STEPS
        return x.mul(left).add_(1 - left).tanh_()
"""
LERP = """        one = torch.ones((), dtype=x.dtype, device=x.device)
        return torch.lerp(one, x, 0.9**STEPS).tanh_()
"""
WRONG = """        left = 0.9**STEPS
        return torch.tanh(x * left + left)
"""
DIAGNOSIS = json.dumps(
    {"bottleneck": "calls of operators", "evidence": "the loop", "fix": "make fewer calls"}
)


def whole(body: str) -> str:
    """Return the answer that holds a whole file."""
    return f"Here it is.\n\n```python\n{FILE.replace('BODY', body)}```\n"


def edit(old: str, new: str) -> str:
    """Return the answer that changes one body to another."""
    return f"One edit.\n\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


def plan(change: str) -> str:
    """Return the planner's answer."""
    chosen = {"change": change, "backend": "torch", "expected_speedup": 1.5}
    return json.dumps({"ideas": ["fewer calls of operators"], "chosen": chosen})


def role_of(asked: Asked) -> str:
    """Return `planner`, `coder` or `profiler`, by what the system prompt asks for."""
    system = str(asked.body["messages"][0]["content"])
    if '"ideas"' in system:
        return "planner"
    return "profiler" if '"bottleneck"' in system else "coder"


def script(*answers: str | Reply) -> Callable[[Asked], Reply]:
    """Return a function that answers the coder with `answers` in turn, and others as suits them."""
    waiting, plans = list(answers), iter(range(1, 100))

    def respond(asked: Asked) -> Reply:
        usage = openai_usage(1000, 100)
        role = role_of(asked)
        if role == "planner":
            return openai_answer(plan(f"Make fewer calls, idea {next(plans)}."), usage=usage)
        text = DIAGNOSIS if role == "profiler" else waiting.pop(0)
        return text if isinstance(text, Reply) else openai_answer(text, usage=usage)

    return respond


def environment(provider: Loopback) -> dict[str, str]:
    """Return the variables that lead to the loopback server."""
    return {
        "OPENAI_API_KEY": "sk-loopback-secret",
        "OPENAI_BASE_URL": provider.url + "/v1",
        "NO_PROXY": "127.0.0.1",
    }
