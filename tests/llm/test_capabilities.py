"""The table of limits and abilities."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from kernelwright.config import EffortName
from kernelwright.llm.base import Effort
from kernelwright.llm.capabilities import (
    EFFORTS,
    accepted_effort,
    capabilities,
    capability_lists,
    higher_effort,
)
from kernelwright.llm.prices import price_lists


def test_the_table_is_dated_sourced_and_sane() -> None:
    for provider, listed in capability_lists().items():
        assert listed.as_of >= date(2026, 1, 1) and listed.source.startswith("https://")
        for known in listed.models.values():
            assert 0 < known.output < known.context
            assert known.default is None or known.default in known.efforts
            assert sorted(known.efforts, key=EFFORTS.index) == list(known.efforts)
            if provider == "anthropic":
                assert ("none" in known.efforts) is (known.off is not None)


def test_every_model_with_a_price_has_its_limits() -> None:
    for provider, prices in price_lists().items():
        names = {n for main, price in prices.models.items() for n in (main, *price.aliases)}
        assert not {name for name in names if capabilities(f"{provider}/{name}") is None}


@pytest.mark.parametrize(
    ("model", "wanted", "asked"),
    [
        ("anthropic/claude-opus-5-5", "max", "max"),
        ("anthropic/claude-opus-5-5", "none", "low"),
        ("anthropic/claude-sonnet-4-6", "xhigh", "high"),
        ("openai/gpt-5", "max", "high"),
        ("openai/gpt-4o", "high", None),
        ("openai/gpt-5", None, None),
        ("openai-api/local/x", "xhigh", "xhigh"),
    ],
)
def test_a_level_that_a_model_lacks_is_the_next_lower_one(
    model: str, wanted: Effort | None, asked: Effort | None
) -> None:
    assert accepted_effort(model, wanted) == asked


def test_levels_go_up_and_end() -> None:
    local = [higher_effort("openai-api/local/x", level) for level in EFFORTS]
    assert local == [*EFFORTS[1:], "max"]
    assert (
        higher_effort("openai/gpt-5", "medium") == higher_effort("openai/gpt-5", "high") == "high"
    )
    assert higher_effort("anthropic/claude-sonnet-4-6", "high") == "max"
    assert get_args(EffortName) == EFFORTS
