"""Base of every provider's client: one retry layer around single requests.

A client only puts one request on the wire and reads its answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from kernelwright.errors import NoToolsError, ProviderError
from kernelwright.llm.base import Completion, Request, Watch, always, go_on
from kernelwright.llm.capabilities import capabilities
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.retry import RetryPolicy, call_until
from kernelwright.llm.stream import Gate

CONNECT_TIMEOUT_S = 10.0
_DEFAULT_POLICY = RetryPolicy()


class HostedModel(ABC):
    """A model behind an HTTP API."""

    def __init__(
        self,
        name: str,
        model: str,
        endpoint: Endpoint,
        policy: RetryPolicy = _DEFAULT_POLICY,
    ) -> None:
        """Set the model, its endpoint and the retry policy.

        Args:
            name: the name that `open_model` opens the model by, and that the price table has.
            model: the provider's own name of the model.
        """
        self.name = name
        self._model = model
        self._endpoint = endpoint
        self._policy = policy

    def complete(
        self,
        request: Request,
        *,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
        watch: Watch = go_on,
    ) -> Completion:
        """See `LLM.complete`."""
        gate = Gate(watch)
        ask = partial(self._ask, request, gate)
        try:
            return call_until(ask, deadline_s=deadline_s, policy=self._policy, pay_again=pay_again)
        except ProviderError as error:
            # Servers have no common code for this; all of them name the parameter.
            if request.tools and "tool" in error.message:
                raise NoToolsError(error.message, error.hint) from error
            raise
        finally:
            gate.close()

    def _schema(self, request: Request) -> dict[str, Any] | None:
        """Return the schema of the answer; None where the model is not known to keep to one."""
        known = capabilities(self.name)
        return request.answer_schema if known is not None and known.structured else None

    @abstractmethod
    def _ask(self, request: Request, watch: Watch, seconds: float) -> Completion:
        """Make one HTTP request, in a thread of its own that is given up after `seconds`.

        Raises:
            CallFault: it failed.
        """
