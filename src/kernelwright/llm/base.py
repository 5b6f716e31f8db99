"""The seam to language models: messages in, text and usage out.

What a provider's wire format looks like, and how its faults are retried, stays behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from kernelwright.schema import Message, Record, Usage, digest

Stop = Literal["end", "max_tokens", "refusal", "other"]


class Request(Record):
    """Everything that decides an answer, except for the model."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None

    @property
    def key(self) -> str:
        """Identity: the same question, whoever is asked."""
        return digest(self.model_dump(mode="json"))


class Completion(Record):
    """One answer of a language model."""

    text: str
    """Empty when the model answered nothing; the explanation when it refused with one."""
    stop: Stop
    """`max_tokens`: the text is cut off. `refusal`: the model or its provider declined."""
    usage: Usage
    """What the answer cost; parts that the provider or the price table doesn't tell are None."""
    model: str
    """The model as the provider names it in its answer, often with a date."""


def always() -> None:
    """Leave to send a request again, whatever the last try has cost."""


class LLM(Protocol):
    """A language model. Calls may come from several threads at once."""

    @property
    def name(self) -> str:
        """The name that `open_model` opens it by, `provider/model`."""
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
            temperature: None leaves it to the provider; some models accept nothing else.
            deadline_s: wall-clock seconds for everything, retries and waits included.
            pay_again: called before a try after one that may have been paid for in vain; what it
                raises ends the call, and the time it takes does not count.

        Raises:
            ProviderError: the provider refused, failed for good, or the deadline passed.
            InfrastructureError: a recording doesn't hold this request (`replay:` only).
        """
        ...
