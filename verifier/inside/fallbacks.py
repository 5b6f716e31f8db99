"""How often guarded classes ran the original forward. Needs nothing but the worker's instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def total(loaded: Mapping[str, Any]) -> int | None:
    """Return the calls that ran the original forward so far; None where no class has guards."""
    counters = [getattr(one.make, "fallbacks", None) for one in loaded.values()]
    found = {id(counter): counter for counter in counters if isinstance(counter, dict)}
    return sum(sum(counter.values()) for counter in found.values()) if found else None


def reasons(loaded: Mapping[str, Any]) -> list[str]:
    """Return the reasons of these calls, in the words of the file."""
    counters = [getattr(one.make, "fallbacks", None) for one in loaded.values()]
    found = {str(key)[:200] for one in counters if isinstance(one, dict) for key in one}
    return sorted(found)[:3]
