"""OpenAI's SDK: a client per request, and its exceptions as faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import openai

from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import connection_fault, status_fault
from kernelwright.llm.hosted import CONNECT_TIMEOUT_S

# The SDK reads these headers from variables meant for OpenAI, and would send them to any server.
_NOT_FOR_OTHERS = {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}


@contextmanager
def openai_client(endpoint: Endpoint, seconds: float) -> Iterator[openai.OpenAI]:
    """Yield a client for one request, so that abandoning one in flight can't disturb another.

    Raises:
        CallFault: the request failed.
    """
    try:
        with openai.OpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=openai.Timeout(seconds + 1, connect=CONNECT_TIMEOUT_S),
        ) as client:
            yield client
    except openai.APIStatusError as error:
        raise status_fault(
            endpoint, error.status_code, error.body, error.response.headers
        ) from error
    except openai.APIConnectionError as error:
        raise connection_fault(endpoint, error) from error


def private_headers(endpoint: Endpoint) -> dict[str, Any] | None:
    """Return what keeps the user's organization from other services."""
    return None if endpoint.provider == "openai" else _NOT_FOR_OTHERS


def is_openai(base_url: str) -> bool:
    """Return whether a server is OpenAI's own, Azure's included.

    Those have the Responses API, and newer models there refuse `max_tokens`; compatible servers
    often know nothing else.
    """
    host = urlsplit(base_url).hostname or ""
    return host == "openai.com" or host.endswith((".openai.com", ".openai.azure.com"))
