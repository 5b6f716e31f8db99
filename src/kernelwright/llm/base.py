"""The seam to language models: a request in; text, tool calls and usage out.

A provider's wire format and the retries of its faults stay behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from kernelwright.schema import Message, Part, Record, ToolCall, Usage, digest

Stop = Literal["end", "max_tokens", "refusal", "tool_use", "stopped", "other"]
Effort = Literal["none", "low", "medium", "high", "xhigh", "max"]
"""The names of `config.EffortName`, in order: the work that a model is asked to put in;
`none` is no thoughts."""
RECORDED = "replay:"
"""Beginning of the names of models that answer from a recording."""
FIRST_FIELDS = frozenset({"messages", "max_tokens", "temperature"})
"""Fields of a request that keys of the first version hold."""


class Tool(Record):
    """A tool that a model may call."""

    name: str
    """Letters, digits, `_` and `-`, at most 64."""
    description: str
    parameters: dict[str, Any]
    """JSON schema of the arguments, an object."""


class Request(Record):
    """A request: everything that decides an answer, except for the model."""

    messages: tuple[Message, ...]
    """The conversation so far, in order; sent unchanged, but for other providers' opaque parts."""
    max_tokens: int
    """Most tokens to answer with, a reasoning model's thoughts included."""
    temperature: float | None = None
    """None leaves it to the provider; some models accept only that."""
    tools: tuple[Tool, ...] = ()
    effort: Effort | None = None
    """None leaves it to the provider; a model without that level gets the next lower one."""
    answer_schema: dict[str, Any] | None = None
    """JSON schema that the text must have, where the model has structured outputs."""
    cache_key: str | None = None
    """Name that requests with the same beginning share, so that a provider finds them in its cache.
    It decides no answer."""

    @property
    def key(self) -> str:
        """Identity of the request, the same for every model and as in the first version."""
        return self._digest("cache_key")

    @property
    def question(self) -> str:
        """Identity of the question, whatever may be spent on its answer."""
        return self._digest("cache_key", "max_tokens", "effort")

    def _digest(self, *without: str) -> str:
        full = self.model_dump(mode="json", exclude=set(without))
        changed = self.model_dump(mode="json", exclude_defaults=True)
        return digest({k: v for k, v in full.items() if k in FIRST_FIELDS or k in changed})


class Completion(Record):
    """One answer of a language model."""

    text: str
    """The visible text, without thoughts. Empty when the model answered nothing; the explanation
    when it refused with one."""
    stop: Stop
    """`max_tokens`: the text is cut off. `refusal`: the model or its provider declined. `tool_use`:
    it waits for results of its tool calls. `stopped`: the watcher wanted no more."""
    usage: Usage
    """Usage of the answer; parts that the provider or the price table doesn't tell are None."""
    model: str
    """Name of the model in the provider's answer, often with a date."""
    parts: tuple[Part, ...] = ()
    """Everything that was answered, in order; empty where that is `text` alone."""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools to call, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def message(self) -> Message:
        """The answer as a message of the conversation that goes on."""
        return Message(role="assistant", content=self.parts or self.text)


class Heard(NamedTuple):
    """The part of an answer that has come so far."""

    characters: int
    """Characters in all: of the text, of tool calls, and of thoughts where the provider shows
    them."""
    piece: str
    """Visible text that is new since the last time."""


Watch = Callable[[Heard], bool]
"""A watcher of an answer that is coming. It is called in another thread, at each piece, and returns
whether to go on. Another try starts from 0 characters."""


def go_on(heard: Heard) -> bool:
    """Let an answer come to its end: the default for `watch`."""
    return True


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
        request: Request,
        *,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
        watch: Watch = go_on,
    ) -> Completion:
        """Ask for one answer.

        Args:
            deadline_s: wall-clock seconds for everything, retries and waits included.
            pay_again: called before each try that follows one which may have been paid for in vain;
                an exception from it ends the call, and its time does not count.
            watch: told of the answer as it comes; where it returns False, the answer ends there,
                and its usage is not known.

        Raises:
            ProviderError: the provider refused, failed for good, or the deadline passed.
            InfrastructureError: a recording doesn't hold this request (`replay:` only).
        """
        ...
