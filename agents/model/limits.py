"""Limits of one model call, and of one step of the proposer."""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.llm.base import RECORDED, Completion, Effort
from kernelwright.llm.capabilities import capabilities, higher_effort
from kernelwright.prompts.context import Role

# A reasoning model's thoughts count as well, and are most of it.
MOST_TOKENS: dict[Role, int] = {"planner": 32_000, "coder": 64_000, "profiler": 16_000}
# A server of one's own often has no larger context than this and the prompt.
UNKNOWN_MODEL: dict[Role, int] = {"planner": 8_192, "coder": 16_384, "profiler": 8_192}
# Some models accept no other temperature than their own.
TEMPERATURE: float | None = None
DEADLINE_S = 1_800.0
"""Enough for all tokens of an answer at 40 a second."""
MORE_TRIES = 2
"""How often a step asks again after an answer that cannot be used."""
EPISODE_CALLS = 40
"""Most calls of an episode, where the attempt's budget does not limit them."""
USUAL: Effort = "medium"
"""Effort of models whose default is not known."""


class Limit(NamedTuple):
    """The most tokens that an answer may have."""

    tokens: int
    most: int
    """The limit that it may be raised to."""

    def raised_for(self, completion: Completion) -> Limit | None:
        """Return a higher limit for an answer that this one has cut off.

        None where it was not cut off, not by this limit, or where the limit can't be raised.
        """
        said = completion.usage.output_tokens
        cut_here = completion.stop == "max_tokens" and (said is None or said >= self.tokens)
        if not cut_here or self.tokens >= self.most:
            return None
        return Limit(min(2 * self.tokens, self.most), self.most)


def answer_limit(role: Role, model: str, own: int | None) -> Limit:
    """Return a role's limit for a model.

    Args:
        model: `provider/name`.
        own: the user's limit; None: by the table of models.
    """
    known = capabilities(model)
    if own is not None:
        tokens = min(own, known.output) if known else own
        return Limit(tokens, tokens)
    if known is not None:
        return Limit(min(MOST_TOKENS[role], known.output), known.output)
    if model.startswith(RECORDED):  # answered under the limits of the models at that time
        return Limit(MOST_TOKENS[role], 2**31)
    return Limit(UNKNOWN_MODEL[role], UNKNOWN_MODEL[role])


def effort_for(model: str, wanted: Effort | None, harder: bool) -> Effort | None:
    """Return the effort to ask for; None leaves it to the provider.

    Args:
        model: `provider/name`.
        wanted: the user's; None: the provider's default.
        harder: one step more than that.
    """
    if not harder:
        return wanted
    known = capabilities(model)
    if wanted is None and (known is None or not known.efforts):
        return None  # it may take none at all
    default = known.default if known else None
    return higher_effort(model, wanted or default or USUAL)
