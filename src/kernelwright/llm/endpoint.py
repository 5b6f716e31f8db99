"""The address and key of a provider, both from the provider's own environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kernelwright.errors import PrerequisiteError


@dataclass(frozen=True)
class Endpoint:
    """A provider's address and key, with the names of the variables that set them."""

    provider: str
    base_url: str
    key_variable: str
    url_variable: str
    api_key: str = field(repr=False)


def endpoint_from_env(provider: str, prefix: str, default_url: str | None) -> Endpoint:
    """Read `<prefix>_API_KEY` and `<prefix>_BASE_URL`; an empty variable counts as unset.

    Raises:
        PrerequisiteError: the key or the address is missing or malformed.
    """
    key_variable, url_variable = f"{prefix}_API_KEY", f"{prefix}_BASE_URL"
    api_key = os.environ.get(key_variable, "").strip()
    base_url = os.environ.get(url_variable, "").strip() or default_url
    if not api_key:
        hint = "set it; any text will do for a server that wants no key"
        raise PrerequisiteError(
            f"no key for {provider}: {key_variable} is not set",
            hint if default_url is None else "set it, or use a model that needs no key: offline",
        )
    if base_url is None:
        raise PrerequisiteError(
            f"no address for {provider}: {url_variable} is not set",
            "set it to the address of an OpenAI-compatible API, which often ends in /v1",
        )
    address = urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise PrerequisiteError(
            f"{url_variable} is no address: {base_url!r}", "it starts with http:// or https://"
        )
    if not (api_key.isascii() and api_key.isprintable()):
        raise PrerequisiteError(f"the key in {key_variable} has characters that no key has")
    return Endpoint(provider, base_url, key_variable, url_variable, api_key)
