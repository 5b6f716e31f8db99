"""The price table, and None where it has no price."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from kernelwright.config import TokenPrice
from kernelwright.llm.base import Request, Tool
from kernelwright.llm.prices import cost_usd, is_priced, most_usage, price_lists, with_cost
from kernelwright.schema import Message, OpaquePart, ToolCall, Usage


def test_tokens_are_priced_per_million() -> None:
    assert cost_usd("openai/gpt-4o", 1_000_000, 0) == pytest.approx(2.5)
    assert cost_usd("openai/gpt-4o", 0, 1_000_000) == pytest.approx(10.0)
    assert cost_usd("openai/gpt-4o", 0, 0) == 0.0


def test_cached_and_written_tokens_are_part_of_the_input() -> None:
    million = 1_000_000
    assert cost_usd("anthropic/claude-opus-5", million, 0, million) == pytest.approx(0.5)
    assert cost_usd("anthropic/claude-opus-5", million, 0, 0, million) == pytest.approx(6.25)


def test_an_alias_costs_the_same_and_an_unlisted_date_nothing_known() -> None:
    assert cost_usd("openai/gpt-4o-2024-08-06", 10, 10) == cost_usd("openai/gpt-4o", 10, 10)
    assert cost_usd("openai/gpt-4o-2099-01-01", 10, 10) is None


@pytest.mark.parametrize(
    "model", ["openai/nothing", "gpt-4o", "anthropic/gpt-4o", "openai-api/x/gpt-4o", "offline", ""]
)
def test_an_unknown_model_costs_none(model: str) -> None:
    assert cost_usd(model, 10, 10) is None


def test_unknown_counts_cost_none() -> None:
    assert cost_usd("openai/gpt-4o", None, 10) is None
    assert cost_usd("openai/gpt-4o", 10, None) is None


def test_a_price_that_is_needed_but_not_listed_costs_none() -> None:
    assert cost_usd("openai/gpt-4o", 10, 10, cache_write_tokens=5) is None


def test_longer_prompts_than_the_price_holds_for_cost_none() -> None:
    assert cost_usd("anthropic/claude-haiku-4-5", 100_001, 1) is not None
    assert cost_usd("anthropic/claude-haiku-5-5", 100_000, 1) is not None
    assert cost_usd("anthropic/claude-haiku-5-5", 100_001, 1) is None


def question(text: str, max_tokens: int) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=max_tokens)


def test_the_most_that_an_answer_takes_is_more_than_any_answer_took() -> None:
    text = "Größe: 4096; " * 100
    worst = most_usage("openai/gpt-4o", question(text, 1000))
    assert worst.input_tokens is not None and worst.input_tokens > len(text.encode())
    assert worst.output_tokens == 1000
    real = cost_usd("openai/gpt-4o", len(text.encode()), 1000)
    assert worst.cost_usd is not None and real is not None and worst.cost_usd > real


def test_all_that_is_sent_counts() -> None:
    plain = question("x", 9)
    call = ToolCall(id="1", name="check", arguments="a" * 1000)
    thought = OpaquePart(provider="p/a", data={"signature": "s" * 1000})
    spoken = Message(role="assistant", content=(thought, call))
    tool = Tool(name="check", description="d" * 1000, parameters={"type": "object"})
    changes: list[dict[str, Any]] = [
        {"tools": (tool,)},
        {"answer_schema": {"description": "d" * 1000}},
        {"messages": (*plain.messages, spoken)},
    ]
    least = most_usage("openai/gpt-4o", plain).input_tokens
    assert least is not None
    for change, more in zip(changes, (1000, 1000, 2000), strict=True):
        counted = most_usage("openai/gpt-4o", plain.model_copy(update=change)).input_tokens
        assert counted is not None and counted > least + more


def test_the_worst_case_writes_the_cache() -> None:
    worst = most_usage("anthropic/claude-opus-5", question("x" * 1_000_000, 0))
    assert worst.cost_usd == pytest.approx(6.25, rel=0.01)


def test_the_worst_case_of_a_long_prompt_is_known_as_far_as_prices_are() -> None:
    worst = most_usage("anthropic/claude-haiku-5-5", question("x" * 150_000, 0))
    assert worst.cost_usd == pytest.approx(0.125 * 0.1)
    assert most_usage("openai/nothing", question("x", 9)).cost_usd is None


def test_the_table_is_dated_sourced_and_sane() -> None:
    assert set(price_lists()) == {"openai", "anthropic"}
    for prices in price_lists().values():
        assert prices.as_of >= date(2026, 1, 1) and prices.source.startswith("https://")
        names = [name for main, p in prices.models.items() for name in (main, *p.aliases)]
        assert len(names) == len(set(names))
        for price in prices.models.values():
            assert 0 < price.input < price.output
            assert price.cached_input is None or 0 < price.cached_input < price.input
            assert price.cache_write is None or price.cache_write > price.input


OWN = TokenPrice(input=1.0, output=2.0)


def test_a_price_of_ones_own_is_for_models_that_the_table_lacks() -> None:
    million = 1_000_000
    assert cost_usd("openai-api/local/x", million, million, own=OWN) == pytest.approx(3.0)
    assert cost_usd("openai/gpt-4o", million, 0, own=OWN) == pytest.approx(2.5)
    worst = most_usage("openai-api/local/x", question("x", million), OWN)
    assert worst.cost_usd is not None and worst.cost_usd > 2.0
    assert is_priced("openai-api/local/x", OWN) and not is_priced("openai-api/local/x")
    assert is_priced("openai/gpt-4o") and is_priced("replay:answers.jsonl")


def test_a_cost_that_is_told_stays() -> None:
    told = Usage(input_tokens=1, output_tokens=1, cost_usd=0.5)
    assert with_cost(told, "openai-api/local/x", OWN) == told
    untold = Usage(input_tokens=1_000_000, output_tokens=0)
    assert with_cost(untold, "openai-api/local/x", OWN).cost_usd == pytest.approx(1.0)
    assert with_cost(untold, "openai-api/local/x", None) == untold
    assert with_cost(Usage(), "openai-api/local/x", OWN).cost_usd is None
