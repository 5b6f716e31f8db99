"""The plan that is told before a model is asked."""

from __future__ import annotations

from kernelwright.cli.run import announce
from kernelwright.config import Settings
from tests.store import samples

LOCAL = "openai-api/local/small"


def told(**models: str) -> str:
    """Return what is said before a run with these models."""
    said: list[str] = []
    announce(Settings.model_validate(models), [samples.task()], said.append)
    return "\n".join(said)


def test_each_model_without_a_price_is_named_with_its_roles() -> None:
    text = told(model="openai/gpt-4o", planner_model=LOCAL, profiler_model=LOCAL)
    assert f"no price is known for {LOCAL} (planner and profiler): no limit in dollars" in text
    assert "dollars unknown" in text and text.count("no price") == 1


def test_a_run_whose_prices_are_known_says_what_it_may_cost() -> None:
    text = told(model="openai/gpt-4o")
    assert "no price" not in text and "about 3 calls and $0.0" in text


def test_nothing_is_said_without_a_model() -> None:
    assert told(model="offline") == ""
