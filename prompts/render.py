"""Filling the templates: the same context gives the same messages, so that answers can be replayed.

`<role>.system.j2` holds what never changes, `<role>.user.j2` what is known now, with what changes
least in front, where a provider's prompt cache can use it.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.prompts.context import Context, Role
from kernelwright.schema import Message
from kernelwright.tasks.kinds.registry import KINDS

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(role: Role, context: Context) -> tuple[Message, ...]:
    """Return the system and the user message for a role."""
    values = {name: getattr(context, name) for name in type(context).model_fields}
    values["kind"] = KINDS.get(context.kind)
    system, user = (
        _environment().get_template(f"{role}.{part}.j2").render(values).strip()
        for part in ("system", "user")
    )
    return Message(role="system", content=system), Message(role="user", content=user)


def instructions(role: Role) -> int:
    """Return the bytes of a role's templates: what is said to it in every case."""
    sizes = ((TEMPLATES / f"{role}.{part}.j2").stat().st_size for part in ("system", "user"))
    return sum(sizes) + max(len(KINDS.get(name).contract) for name in KINDS)


def fenced(text: str, language: str = "") -> str:
    """Return `text` as a fenced block that nothing in it can close."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    body = text.strip("\n")
    return f"{fence}{language}\n{body}\n{fence}"


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # The output is plain text for a model, never HTML.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["fenced"] = fenced
    return environment
