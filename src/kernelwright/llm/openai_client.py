"""OpenAI's models and those of every compatible server, by name."""

from __future__ import annotations

from kernelwright.errors import UsageError
from kernelwright.llm.base import LLM
from kernelwright.llm.endpoint import endpoint_from_env
from kernelwright.llm.openai_sdk import is_openai


def open_openai(model: str) -> LLM:
    """Open `openai/MODEL`, with the key in OPENAI_API_KEY; OPENAI_BASE_URL sets another address.

    OpenAI's own servers are asked by the Responses API, all others by Chat Completions.
    """
    endpoint = endpoint_from_env("openai", "OPENAI", "https://api.openai.com/v1")
    if is_openai(endpoint.base_url):
        from kernelwright.llm.openai_responses import OpenAIResponses

        return OpenAIResponses(f"openai/{model}", model, endpoint)
    from kernelwright.llm.openai_chat import OpenAIChat

    return OpenAIChat(f"openai/{model}", model, endpoint)


def open_service(service_and_model: str) -> LLM:
    """Open `openai-api/SERVICE/MODEL`, with <SERVICE>_BASE_URL and <SERVICE>_API_KEY."""
    from kernelwright.llm.openai_chat import OpenAIChat

    service, _, model = service_and_model.partition("/")
    if not service or not model:
        raise UsageError(
            f"no service or no model in 'openai-api/{service_and_model}'",
            "write openai-api/SERVICE/MODEL",
        )
    endpoint = endpoint_from_env(service, service.upper().replace("-", "_"), None)
    return OpenAIChat(f"openai-api/{service_and_model}", model, endpoint)
