"""Limits of one answer, efforts, and the schemas of typed answers."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from kernelwright.agents.model.limits import Limit, answer_limit, effort_for
from kernelwright.agents.model.planner import PlannerAnswer
from kernelwright.agents.model.profiler import Diagnosis
from kernelwright.agents.model.schemas import strict_schema
from kernelwright.llm.base import Completion, Effort, Stop
from kernelwright.prompts.context import Role
from kernelwright.schema import Usage

OPUS, SMALL, LOCAL = "anthropic/claude-opus-5-5", "openai/gpt-4o", "openai-api/local/x"


@pytest.mark.parametrize(
    ("role", "model", "own", "limit"),
    [
        ("coder", OPUS, None, (64_000, 128_000)),
        ("planner", OPUS, None, (32_000, 128_000)),
        ("profiler", OPUS, None, (16_000, 128_000)),
        ("coder", SMALL, None, (16_384, 16_384)),
        ("coder", LOCAL, None, (16_384, 16_384)),
        ("coder", OPUS, 512, (512, 512)),
        ("coder", SMALL, 10**6, (16_384, 16_384)),
        ("coder", LOCAL, 10**6, (10**6, 10**6)),
    ],
)
def test_a_limit_fits_role_and_model(
    role: Role, model: str, own: int | None, limit: tuple[int, int]
) -> None:
    assert answer_limit(role, model, own) == limit


@pytest.mark.parametrize(
    ("stop", "said", "limit", "raised"),
    [
        ("max_tokens", 100, Limit(100, 300), (200, 300)),
        ("max_tokens", None, Limit(200, 300), (300, 300)),
        ("max_tokens", 60, Limit(100, 300), None),  # the context was full
        ("max_tokens", 300, Limit(300, 300), None),
        ("end", 100, Limit(100, 300), None),
    ],
)
def test_only_what_the_limit_cut_off_raises_it(
    stop: Stop, said: int | None, limit: Limit, raised: tuple[int, int] | None
) -> None:
    completion = Completion(text="x", stop=stop, usage=Usage(output_tokens=said), model="m")
    assert limit.raised_for(completion) == raised


@pytest.mark.parametrize(
    ("model", "wanted", "usual", "harder"),
    [
        (OPUS, None, None, "high"),
        (OPUS, "high", "high", "xhigh"),
        (OPUS, "max", "max", "max"),
        (SMALL, None, None, None),
        ("anthropic/claude-sonnet-4-6", None, None, "max"),  # it has no `xhigh`
        ("openai/gpt-5.5", None, None, "high"),  # its default is not in the table
        (LOCAL, None, None, None),
        (LOCAL, "low", "low", "medium"),
    ],
)
def test_effort_goes_up_one_step(
    model: str, wanted: Effort | None, usual: Effort | None, harder: Effort | None
) -> None:
    assert effort_for(model, wanted, harder=False) == usual
    assert effort_for(model, wanted, harder=True) == harder


class Inner(BaseModel):
    count: int = Field(ge=1, description="How many.")


class Outer(BaseModel):
    kind: Literal["a", "b"] = "a"
    inner: Inner = Field(description="The inner one.")
    names: tuple[str, ...] = Field(min_length=1)
    maybe: int | None = None


def test_a_schema_has_no_bounds_and_wants_every_field() -> None:
    schema = strict_schema(Outer)
    assert schema["required"] == ["kind", "inner", "names", "maybe"]
    assert schema["properties"] == {
        "kind": {"type": "string", "enum": ["a", "b"]},
        "inner": {"$ref": "#/$defs/Inner"},
        "names": {"type": "array", "items": {"type": "string"}},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }
    inner = schema["$defs"]["Inner"]
    assert inner["properties"] == {"count": {"type": "integer", "description": "How many."}}
    assert inner["required"] == ["count"] and inner["additionalProperties"] is False


@pytest.mark.parametrize("kind", [PlannerAnswer, Diagnosis])
def test_schemas_of_our_answers_say_nothing_that_providers_refuse(kind: type[BaseModel]) -> None:
    def keys(node: Any) -> set[str]:
        below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = set(node) if isinstance(node, dict) else set()
        return own.union(*map(keys, below))

    refused = {"minimum", "exclusiveMinimum", "minLength", "minItems", "maxItems", "default"}
    assert not refused & keys(strict_schema(kind))
