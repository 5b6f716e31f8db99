"""Asking a model until an answer can be used: within the budget, and with every call on record."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

from kernelwright.agents.model.answers import BadAnswer
from kernelwright.agents.model.budget import Budget, Reservation
from kernelwright.agents.model.ledger import Asked, Ledger
from kernelwright.agents.model.limits import DEADLINE_S, MAX_TOKENS, MORE_TRIES, TEMPERATURE
from kernelwright.agents.model.words import one_line
from kernelwright.agents.proposer import BudgetExhausted, NoUsableAnswer
from kernelwright.config import Allowance, TokenPrice
from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM, Completion, Request
from kernelwright.llm.prices import most_usage, with_cost
from kernelwright.prompts.context import Block, Context, Role
from kernelwright.prompts.render import render
from kernelwright.schema import Message, ModelCall, Span, Usage, digest
from kernelwright.store.results import Lost

T = TypeVar("T")
Messages = tuple[Message, ...]
LOST = "the connection broke; the answer may have been paid for"
# Stands for an answer that is not worth sending back; providers refuse an empty one.
NO_ANSWER = "[no usable answer]"
PROBLEM_CHARACTERS = 300
LONGEST_SENT_BACK = 100_000
"""Most characters of an answer that is sent back; all of it would be paid for again."""


class Caller:
    """The maker of one task's model calls; several attempts may be under way at once.

    Args:
        models: by role.
        budget: of the task.
        each: what one attempt may use.
        earlier: calls of the task in an earlier part of the run.
        lost: what those without an answer may have used.
        without: blocks that no prompt has.
        price: the user's, for models that the price table lacks.
    """

    def __init__(
        self,
        models: Mapping[Role, LLM],
        budget: Budget,
        each: Allowance,
        ledger: Ledger,
        earlier: Iterable[ModelCall] = (),
        lost: Iterable[Lost] = (),
        without: Collection[Block] = (),
        price: TokenPrice | None = None,
    ) -> None:
        self._models = models
        self._budget = budget
        self._each = each
        self._ledger = ledger
        self._without = without
        self._price = price
        self._lock = threading.Lock()
        self._usage: defaultdict[int, Usage] = defaultdict(Usage.zero)
        self._budgets: dict[int, Budget] = {}
        for call in earlier:
            if call.attempt is not None:
                self._usage[call.attempt] += call.usage
                if call.answer is not None:
                    self._within(call.attempt).add(call.usage)
        for one in lost:
            self._within(one.attempt).add(one.usage)

    def model(self, role: Role) -> str:
        """Return the `provider/name` of a role's model."""
        return self._models[role].name

    def prompt_hash(self, role: Role, context: Context) -> str:
        """Return the identity of the prompt that a context makes."""
        messages = render(role, context.without(self._without))
        return digest([message.model_dump() for message in messages])

    def ask(self, attempt: int, role: Role, context: Context, read: Callable[[Completion], T]) -> T:
        """Ask, and ask again with the exact complaint where `read` raises BadAnswer.

        Args:
            attempt: index of the attempt that it is for.
            context: what the role is shown; blocks that are switched off are left out.

        Returns:
            What `read` made of the first good answer.

        Raises:
            NoUsableAnswer: there was none; its message is the fault of the last one.
            BudgetExhausted: before a call that a budget does not allow.
            InfrastructureError: the provider failed for good.
        """
        shown = context.without(self._without)
        messages, problem = render(role, shown), ""
        for _ in range(1 + MORE_TRIES):
            completion = self._call(attempt, role, messages, shown.characters())
            try:
                return read(completion)
            except BadAnswer as bad:
                messages, problem = (*messages, *_complaint(completion, bad)), bad.problem
        raise NoUsableAnswer(one_line(problem, PROBLEM_CHARACTERS))

    def usage(self, attempt: int) -> Usage:
        """Return the sum over an attempt's calls; a part that one of them lacks is None."""
        with self._lock:
            return self._usage[attempt]

    def _within(self, attempt: int) -> Budget:
        with self._lock:
            if attempt not in self._budgets:
                self._budgets[attempt] = self._budget.inner("attempt", self._each)
            return self._budgets[attempt]

    def _call(
        self, attempt: int, role: Role, messages: Messages, blocks: dict[str, int]
    ) -> Completion:
        llm, limit = self._models[role], MAX_TOKENS[role]
        request = Request(messages=messages, max_tokens=limit, temperature=TEMPERATURE)
        asked = Asked(model=llm.name, request=request)
        worst = most_usage(llm.name, messages, limit, self._price)
        known = self._ledger.answer(attempt, asked)
        if known is not None:
            return known
        with self._within(attempt).reserved(worst) as reservation:
            self._ledger.note(attempt, asked, worst)
            call = partial(_call, attempt, role, llm.name, messages, blocks, time.time())
            try:
                completion = llm.complete(
                    messages,
                    max_tokens=limit,
                    temperature=TEMPERATURE,
                    deadline_s=DEADLINE_S,
                    pay_again=partial(self._pay_again, reservation, attempt, asked, worst, call),
                )
            except (InfrastructureError, BudgetExhausted) as error:
                self._ledger.failed(self._counted(call(error=error.message)))
                raise
            usage = with_cost(completion.usage, llm.name, self._price)
            reservation.settle(usage)
            made = self._counted(call(answer=completion.text, usage=usage))
            self._ledger.answered(attempt, asked, completion, made)
        return completion

    def _pay_again(
        self,
        reservation: Reservation,
        attempt: int,
        asked: Asked,
        worst: Usage,
        call: Callable[..., ModelCall],
    ) -> None:
        """Record a lost try, its usage unknown, and reserve as much for another.

        Raises:
            BudgetExhausted: another try does not fit.
        """
        self._ledger.failed(self._counted(call(error=LOST)))
        reservation.renew()
        self._ledger.note(attempt, asked, worst)

    def _counted(self, call: ModelCall) -> ModelCall:
        assert call.attempt is not None
        with self._lock:
            self._usage[call.attempt] += call.usage
        return call


def _call(
    attempt: int,
    role: Role,
    model: str,
    messages: Messages,
    blocks: dict[str, int],
    started: float,
    *,
    answer: str | None = None,
    error: str | None = None,
    usage: Usage | None = None,
) -> ModelCall:
    return ModelCall(
        attempt=attempt,
        role=role,
        model=model,
        messages=messages,
        blocks=blocks,
        answer=answer,
        error=error,
        usage=usage or Usage(),
        span=Span.since(started),
    )


def _complaint(completion: Completion, bad: BadAnswer) -> Messages:
    text = completion.text
    keep = completion.stop in ("end", "other") and text.strip() and len(text) <= LONGEST_SENT_BACK
    said = text if keep else NO_ANSWER
    return (
        Message(role="assistant", content=said),
        Message(role="user", content=bad.complaint),
    )
