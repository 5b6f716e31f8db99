"""Language models behind one seam; importing this imports no provider's SDK."""

from kernelwright.llm.base import LLM, Completion, Request, Stop, Tool
from kernelwright.llm.prices import cost_usd
from kernelwright.llm.registry import known_models, open_model
from kernelwright.llm.replay import Recorder, Replay

__all__ = [
    "LLM",
    "Completion",
    "Recorder",
    "Replay",
    "Request",
    "Stop",
    "Tool",
    "cost_usd",
    "known_models",
    "open_model",
]
