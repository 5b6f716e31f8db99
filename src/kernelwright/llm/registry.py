"""Opening a model by name. `offline` is opened by the agents, which need no model for it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.llm.base import LLM

ENTRY_POINT_GROUP = "kernelwright.llm"

_PROVIDERS = {
    "openai": "kernelwright.llm.openai_client:open_openai",
    "anthropic": "kernelwright.llm.anthropic_client:open_anthropic",
    "openai-api": "kernelwright.llm.openai_client:open_service",
}
_REPLAY = "replay:"
_DOTTED_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def open_model(name: str) -> LLM:
    """Open a model.

    Args:
        name: `openai/NAME`, `anthropic/NAME`, `openai-api/SERVICE/NAME`, `replay:PATH`,
            `PROVIDER/NAME` of an installed entry point, whose function gets NAME, or
            `package.module:factory`, which is called without arguments.

    Raises:
        UsageError: no such provider, or a name that it can't mean.
        PrerequisiteError: a key or an address is missing.
    """
    if name.startswith(_REPLAY):
        from kernelwright.llm.replay import Replay

        return Replay(Path(name.removeprefix(_REPLAY)))
    if _DOTTED_PATH.fullmatch(name):
        return _load(name)()
    provider, _, model = name.partition("/")
    if provider in _PROVIDERS:
        return _open(_load(_PROVIDERS[provider]), provider, model)
    for entry in _installed():
        if entry.name == provider:
            return _open(entry.load(), provider, model)
    raise UsageError(f"unknown model {name!r}", did_you_mean(name, known_models()))


def known_models() -> list[str]:
    """The forms that a model's name can have, `offline` included."""
    return [
        "offline",
        "openai/NAME",
        "anthropic/NAME",
        "openai-api/SERVICE/NAME",
        "replay:PATH",
        "package.module:factory",
        *(f"{entry.name}/NAME" for entry in _installed() if entry.name not in _PROVIDERS),
    ]


def _open(factory: Callable[[str], LLM], provider: str, model: str) -> LLM:
    if not model:
        raise UsageError(f"no model in {provider!r}", f"write {provider}/NAME")
    return factory(model)


def _load(dotted_path: str) -> Callable[..., LLM]:
    module_name, _, attribute = dotted_path.partition(":")
    try:
        return cast(Callable[..., LLM], getattr(importlib.import_module(module_name), attribute))
    except ImportError as error:
        raise UsageError(f"cannot import {module_name}: {error}") from error
    except AttributeError as error:
        raise UsageError(f"{module_name} has no {attribute!r}") from error


def _installed() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
