"""Limits of one model call, and of one step of the proposer."""

from __future__ import annotations

from kernelwright.prompts.context import Role

# A reasoning model's thoughts count as well; 16,384 is the most that many models answer with.
MAX_TOKENS: dict[Role, int] = {"planner": 8_192, "coder": 16_384, "profiler": 8_192}
# Some models accept no other temperature than their own.
TEMPERATURE: float | None = None
DEADLINE_S = 600.0
MORE_TRIES = 2
"""How often a step asks again after an answer that cannot be used."""
