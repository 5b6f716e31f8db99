"""Prices of tokens, from the dated table in `prices.toml`; None where the table has none."""

from __future__ import annotations

import json
from functools import cache

from kernelwright.config import TokenPrice
from kernelwright.llm.base import RECORDED, Request
from kernelwright.llm.dated_table import Entry, Listed, by_name, read_table
from kernelwright.schema import Message, Usage

_PER_MILLION = 1e-6
# Upper bound on the tokens that providers add to each message, and to all of them together.
_MESSAGE_TOKENS = 64


class Price(Entry):
    """The price of one model in USD per million tokens; `prices.toml` explains the fields."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    up_to_input: int | None = None


@cache
def price_lists() -> dict[str, Listed[Price]]:
    """Return the whole table, by provider."""
    return read_table("prices.toml", Listed[Price])


def cost_usd(
    model: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int = 0,
    cache_write_tokens: int = 0,
    own: TokenPrice | None = None,
) -> float | None:
    """Return the dollars for one call at the provider's list price.

    Args:
        model: `provider/name`; a dated name counts only if the table lists it as an alias.
        input_tokens: all input tokens, cached ones included.
        output_tokens: all output tokens, a reasoning model's thoughts included.
        cached_input_tokens: the part of `input_tokens` read from the provider's cache.
        cache_write_tokens: the part of `input_tokens` written to it.
        own: the user's price, for models that the table lacks.

    Returns:
        None where a count, the model or one of the prices needed is unknown; never 0 for that.
    """
    price = _price(model, own)
    if price is None or input_tokens is None or output_tokens is None:
        return None
    if price.up_to_input is not None and input_tokens > price.up_to_input:
        return None
    plain = max(0, input_tokens - cached_input_tokens - cache_write_tokens)
    parts = (
        (plain, price.input),
        (cached_input_tokens, price.cached_input),
        (cache_write_tokens, price.cache_write),
        (output_tokens, price.output),
    )
    return _total(parts)


def counted(
    model: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cached: int | None,
    written: int | None,
    at_list_price: bool,
) -> Usage:
    """Return the usage of one answer, with its cost at the provider's list price.

    Args:
        model, input_tokens, output_tokens: see `cost_usd`.
        cached: the part of `input_tokens` read from the provider's cache; None where it is unknown.
        written: the part written to it.
        at_list_price: whether the list prices hold: other tiers have others.
    """
    cost = None
    if at_list_price:
        cost = cost_usd(model, input_tokens, output_tokens, cached or 0, written or 0)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
        cached_input_tokens=cached,
    )


def is_priced(model: str, own: TokenPrice | None = None) -> bool:
    """Return whether dollars can be counted for a model. Recorded answers cost nothing."""
    return model.startswith(RECORDED) or _price(model, own) is not None


def with_cost(usage: Usage, model: str, own: TokenPrice | None) -> Usage:
    """Return a usage with its cost by the user's price, where only that is known."""
    if usage.cost_usd is not None or own is None:
        return usage
    cost = cost_usd(model, usage.input_tokens, usage.output_tokens, own=own)
    return usage.model_copy(update={"cost_usd": cost})


def most_usage(model: str, request: Request, own: TokenPrice | None = None) -> Usage:
    """Return an upper bound on the usage of one answer, before it is asked for.

    The tokenizers of the field start from bytes, so a text has no more tokens than bytes of UTF-8.
    The dollars assume that the whole prompt is written to the cache, where that is dearer; they are
    None where the price is not known. Where a price holds up to a prompt length only, a longer
    prompt is priced at that length.
    """
    tokens = sum(map(_most_tokens, request.messages)) + _MESSAGE_TOKENS
    tokens += sum(len(tool.model_dump_json().encode()) + _MESSAGE_TOKENS for tool in request.tools)
    if request.answer_schema is not None:
        tokens += len(json.dumps(request.answer_schema).encode()) + _MESSAGE_TOKENS
    price = _price(model, own)
    priced = min(tokens, price.up_to_input or tokens) if price else tokens
    plain = cost_usd(model, priced, request.max_tokens, own=own)
    written = cost_usd(model, priced, request.max_tokens, cache_write_tokens=priced, own=own)
    cost = plain if plain is None or written is None else max(plain, written)
    return Usage(input_tokens=tokens, output_tokens=request.max_tokens, cost_usd=cost)


def _most_tokens(message: Message) -> int:
    """Return more tokens than a message has, its parts' names and signatures included."""
    if isinstance(message.content, str):
        return len(message.content.encode()) + _MESSAGE_TOKENS
    sizes = (len(part.model_dump_json().encode()) for part in message.content)
    return sum(sizes) + _MESSAGE_TOKENS * (1 + len(message.content))


def _total(parts: tuple[tuple[int, float | None], ...]) -> float | None:
    total = 0.0
    for tokens, price in parts:
        if tokens and price is None:
            return None
        total += tokens * (price or 0.0)
    return total * _PER_MILLION


def _price(model: str, own: TokenPrice | None) -> Price | None:
    listed = _by_name().get(model)
    if listed is not None or own is None:
        return listed
    return Price(input=own.input, output=own.output)


@cache
def _by_name() -> dict[str, Price]:
    return by_name(price_lists())
