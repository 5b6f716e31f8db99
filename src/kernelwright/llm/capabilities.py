"""Limits and abilities of models, from the dated table in `capabilities.toml`."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

from kernelwright.llm.base import Effort
from kernelwright.llm.dated_table import Entry, Listed, by_name, read_table

EFFORTS: tuple[Effort, ...] = get_args(Effort)


class Capabilities(Entry):
    """One model's limits and abilities; `capabilities.toml` explains the fields."""

    output: int
    context: int
    efforts: tuple[Effort, ...] = ()
    default: Effort | None = None
    thinks: Literal["by_default", "if_asked"] = "by_default"
    off: Literal["disabled", "between_tools"] | None = None
    tools: bool = True
    structured: bool = True


@cache
def capability_lists() -> dict[str, Listed[Capabilities]]:
    """Return the whole table, by provider."""
    return read_table("capabilities.toml", Listed[Capabilities])


def capabilities(model: str) -> Capabilities | None:
    """Return the entry of `provider/name`; None where the table has none."""
    return _by_name().get(model)


def accepted_effort(model: str, effort: Effort | None) -> Effort | None:
    """Return the level to ask a model for: the wanted one, or else the next lower, or its lowest.

    A model that the table lacks is asked for what is wanted. None where it has no levels.
    """
    known = capabilities(model)
    if effort is None or known is None:
        return effort
    lower = [level for level in known.efforts if EFFORTS.index(level) <= EFFORTS.index(effort)]
    return lower[-1] if lower else next(iter(known.efforts), None)


def higher_effort(model: str, effort: Effort) -> Effort:
    """Return the next level that a model has, above one; where there is none, that one stays."""
    known = capabilities(model)
    levels = EFFORTS if known is None else known.efforts
    above = (level for level in levels if EFFORTS.index(level) > EFFORTS.index(effort))
    return next(above, effort)


@cache
def _by_name() -> dict[str, Capabilities]:
    return by_name(capability_lists())
