"""Open a model by name. The agents handle `offline`, which needs no model."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.llm.base import LLM
from kernelwright.registry import Kind, is_dotted, load, make

ENTRY_POINT_GROUP = "kernelwright.llm"

_PROVIDERS = {
    "openai": "kernelwright.llm.openai_client:open_openai",
    "anthropic": "kernelwright.llm.anthropic_client:open_anthropic",
    "openai-api": "kernelwright.llm.openai_client:open_service",
}
_REPLAY = "replay:"
_KIND = Kind("a language model", "complete")


def open_model(name: str) -> LLM:
    """Open a model.

    Args:
        name: `openai/NAME`, `anthropic/NAME`, `openai-api/SERVICE/NAME`, `replay:PATH`,
            `PROVIDER/NAME` of an installed entry point, which is called with NAME, or
            `package.module:factory`, which is called without arguments.

    Raises:
        UsageError: no such provider, a name without a model, or an object that is no model.
        PrerequisiteError: a key or an address is missing.
    """
    if name.startswith(_REPLAY):
        from kernelwright.llm.replay import Replay

        return Replay(Path(name.removeprefix(_REPLAY)))
    if is_dotted(name):
        return cast(LLM, make(name, load(name), (), _KIND))
    provider, _, model = name.partition("/")
    if provider in _PROVIDERS:
        return _open(load(_PROVIDERS[provider]), provider, model)
    for entry in _installed():
        if entry.name == provider:
            return _open(entry.load(), provider, model)
    raise UsageError(f"unknown model {name!r}", did_you_mean(name, known_models()))


def known_models() -> list[str]:
    """Return the forms that a model's name can have, `offline` included."""
    return [
        "offline",
        "openai/NAME",
        "anthropic/NAME",
        "openai-api/SERVICE/NAME",
        "replay:PATH",
        "package.module:factory",
        *(f"{entry.name}/NAME" for entry in _installed() if entry.name not in _PROVIDERS),
    ]


def _open(factory: object, provider: str, model: str) -> LLM:
    if not model:
        raise UsageError(f"no model in {provider!r}", f"write {provider}/NAME")
    return cast(LLM, make(f"provider {provider!r}", factory, (model,), _KIND))


def _installed() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
