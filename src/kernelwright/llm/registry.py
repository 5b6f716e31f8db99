"""Open a model by name. The agents handle `offline`, which needs no model."""

from __future__ import annotations

from pathlib import Path

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.llm.base import LLM, RECORDED
from kernelwright.registry import Kind, Registry, is_dotted

PROVIDERS: Registry[LLM] = Registry(
    "model",
    Kind("a language model", "complete"),
    {
        "openai": "kernelwright.llm.openai_client:open_openai",
        "anthropic": "kernelwright.llm.anthropic_client:open_anthropic",
        "openai-api": "kernelwright.llm.openai_client:open_service",
    },
    "kernelwright.llm",
)
_FORMS = {"openai-api": "openai-api/SERVICE/NAME"}


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
    if name.startswith(RECORDED):
        from kernelwright.llm.replay import Replay

        return Replay(Path(name.removeprefix(RECORDED)))
    if is_dotted(name):
        return PROVIDERS.open(name)
    provider, _, model = name.partition("/")
    if provider not in PROVIDERS:
        raise UsageError(f"unknown model {name!r}", did_you_mean(name, known_models()))
    if not model:
        raise UsageError(f"no model in {provider!r}", f"write {provider}/NAME")
    return PROVIDERS.open(provider, model)


def known_models() -> list[str]:
    """Return the forms that a model's name can have, `offline` included."""
    providers = [_FORMS.get(name, f"{name}/NAME") for name in PROVIDERS]
    return ["offline", *providers, "replay:PATH", "package.module:factory"]
