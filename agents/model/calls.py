"""Asking a model until an answer can be used: within the budget, and with every call on record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from kernelwright.agents.model.answers import BadAnswer
from kernelwright.agents.model.budget import Budget
from kernelwright.agents.model.limits import DEADLINE_S, MAX_TOKENS, MORE_TRIES, TEMPERATURE
from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM, Completion
from kernelwright.prompts.context import Role
from kernelwright.schema import Message, ModelCall, Span, Usage

T = TypeVar("T")
Messages = tuple[Message, ...]
# Stands for an answer that is not worth sending back; providers refuse an empty one.
NO_ANSWER = "[no usable answer]"


class Caller:
    """Makes the calls of one proposer."""

    def __init__(self, llm: LLM, budget: Budget, record: Callable[[ModelCall], None]) -> None:
        self._llm = llm
        self._budget = budget
        self._record = record
        self._usage = Usage.zero()

    def ask(self, role: Role, messages: Messages, read: Callable[[Completion], T]) -> T | None:
        """Ask, and ask again with the exact complaint where `read` raises BadAnswer.

        Returns:
            What `read` made of the first good answer; None when there was none.

        Raises:
            BudgetExhausted: before a call that the budget does not allow.
            InfrastructureError: the provider failed for good.
        """
        for _ in range(1 + MORE_TRIES):
            completion = self._call(role, messages)
            try:
                return read(completion)
            except BadAnswer as bad:
                messages = (*messages, *_complaint(completion, bad))
        return None

    def take_usage(self) -> Usage:
        """Sum over the calls since this was last called."""
        usage, self._usage = self._usage, Usage.zero()
        return usage

    def _call(self, role: Role, messages: Messages) -> Completion:
        self._budget.check()
        started = time.time()
        try:
            completion = self._llm.complete(
                messages,
                max_tokens=MAX_TOKENS[role],
                temperature=TEMPERATURE,
                deadline_s=DEADLINE_S,
            )
        except InfrastructureError as error:
            self._book(role, messages, started, error=error.message)
            raise
        self._book(role, messages, started, answer=completion.text, usage=completion.usage)
        return completion

    def _book(
        self,
        role: Role,
        messages: Messages,
        started: float,
        *,
        answer: str | None = None,
        error: str | None = None,
        usage: Usage | None = None,
    ) -> None:
        call = ModelCall(
            role=role,
            model=self._llm.name,
            messages=messages,
            answer=answer,
            error=error,
            usage=usage or Usage(),
            span=Span(started=started, ended=time.time()),
        )
        self._budget.add(call.usage)
        self._usage += call.usage
        self._record(call)


def _complaint(completion: Completion, bad: BadAnswer) -> Messages:
    keep = completion.stop in ("end", "other") and completion.text.strip()
    said = completion.text if keep else NO_ANSWER
    return (
        Message(role="assistant", content=said),
        Message(role="user", content=bad.complaint),
    )
