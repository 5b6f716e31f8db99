"""Numbers and times in readable form. An unknown value reads "unknown", never 0."""

from __future__ import annotations

from datetime import UTC, datetime

from kernelwright.schema import Interval, Speedup, Usage

UNKNOWN = "unknown"
NOT_MEASURED = "not measured"
NOT_DECIDED = "not decided (busy machine)"
"""Text for a task's or an attempt's times that other processes disturbed."""

_BACKENDS = {
    "cpp": "C++ kernel",
    "cuda": "CUDA kernel",
    "triton": "Triton kernel",
    "inductor": "torch.compile configuration",
    "torch": "plain PyTorch",
}


def ratio(value: float) -> str:
    """Return a speedup like `2.31×`; three decimals near 1, where they decide."""
    return f"{value:.{_decimals(value)}f}×"


def interval(ends: Interval) -> str:
    """Return a speedup's interval like `2.24–2.38×`."""
    decimals = _decimals(*ends)
    return f"{ends[0]:.{decimals}f}–{ends[1]:.{decimals}f}×"


def speedup(value: Speedup | None) -> str:
    """Return a speedup with its interval in one line."""
    if value is None:
        return NOT_MEASURED
    return ratio_in(value.median, value.ci95)


def ratio_in(value: float, ends: Interval) -> str:
    """Return a ratio with its interval like `2.31× (2.24–2.38×)`."""
    decimals = _decimals(value, *ends)
    low, high = (f"{end:.{decimals}f}" for end in ends)
    return f"{value:.{decimals}f}× ({low}–{high}×)"


def microseconds(value: float | None) -> str:
    """Return a time in microseconds, milliseconds or seconds, whichever suits it."""
    if value is None:
        return NOT_MEASURED
    for limit, divisor, unit in ((1e3, 1.0, "µs"), (1e6, 1e3, "ms")):
        if value < limit:
            return f"{value / divisor:.4g} {unit}"
    return f"{value / 1e6:.4g} s"


def seconds(value: float | None) -> str:
    """Return a duration like `21.5 s`, `6 min 53 s` or `2 h 05 min`."""
    if value is None:
        return UNKNOWN
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def dollars(value: float | None) -> str:
    """Return a cost; four decimals below a dollar."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "$0"
    return f"${value:.4f}" if value < 1 else f"${value:,.2f}"


def cost(usage: Usage) -> str:
    """Return the cost of a usage, for a text that does not say that it is a cost."""
    return "cost unknown" if usage.cost_usd is None else dollars(usage.cost_usd)


def cached(usage: Usage) -> str:
    """Return the share of cached input tokens in words; empty where it is not known."""
    share = usage.cached_share
    return "" if share is None else f"{share:.0%} of the input tokens cached"


def count(value: int | None) -> str:
    """Return a count with thousands separated."""
    return UNKNOWN if value is None else f"{value:,}"


def error_size(value: float | None) -> str:
    """Return an absolute error with two digits."""
    return UNKNOWN if value is None else f"{value:.2g}"


def moment(value: float | None) -> str:
    """Return seconds since the epoch as a date and time in UTC."""
    if value is None:
        return UNKNOWN
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M UTC")


def anything(value: object) -> str:
    """Return a value of a settings or environment table as text."""
    if value is None:
        return UNKNOWN
    if isinstance(value, dict):
        return ", ".join(f"{key} {anything(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(anything(item) for item in value)
    return str(value)


def backend(name: str) -> str:
    """Return the kind of implementation that a backend makes."""
    return _BACKENDS.get(name, f"{name} implementation")


def _decimals(*values: float) -> int:
    if any(abs(value - 1) < 0.05 for value in values):
        return 3
    largest = max(values)
    return 2 if largest < 10 else 1 if largest < 100 else 0


def sentence(words: str) -> str:
    """Return words as a sentence: with a capital letter and a full stop."""
    return f"{words[:1].upper()}{words[1:]}".rstrip(".") + "."
