"""The seam to language models: messages in, text and usage out.

A provider's wire format and the retries of its faults stay behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from kernelwright.schema import Message, Record, Usage, digest

Stop = Literal["end", "max_tokens", "refusal", "other"]
RECORDED = "replay:"
"""Beginning of the names of models that answer from a recording."""


class Request(Record):
    """A request: everything that decides an answer, except for the model."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None

    @property
    def key(self) -> str:
        """Identity of the request, the same for every model."""
        return digest(self.model_dump(mode="json"))


class Completion(Record):
    """One answer of a language model."""

    text: str
    """Empty when the model answered nothing; the explanation when it refused with one."""
    stop: Stop
    """`max_tokens`: the text is cut off. `refusal`: the model or its provider declined."""
    usage: Usage
    """Usage of the answer; parts that the provider or the price table doesn't tell are None."""
    model: str
    """Name of the model in the provider's answer, often with a date."""


def always() -> None:
    """Permit another try, whatever the last one has cost: the default for `pay_again`."""


class LLM(Protocol):
    """A language model. Calls may come from several threads at once."""

    @property
    def name(self) -> str:
        """Name that `open_model` opens the model by, `provider/model`."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
    ) -> Completion:
        """Ask for one answer.

        Args:
            messages: the conversation so far, in order; sent unchanged.
            max_tokens: most tokens to answer with, a reasoning model's thoughts included.
            temperature: None leaves it to the provider; some models accept only that.
            deadline_s: wall-clock seconds for everything, retries and waits included.
            pay_again: called before each try that follows one which may have been paid for in vain;
                an exception from it ends the call, and its time does not count.

        Raises:
            ProviderError: the provider refused, failed for good, or the deadline passed.
            InfrastructureError: a recording doesn't hold this request (`replay:` only).
        """
        ...
