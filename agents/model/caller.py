"""Asking a model until an answer can be used: within the budget, and with every call on record."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from kernelwright.agents.model.answers import Answer, BadAnswer
from kernelwright.agents.model.budget import Budget, Reservation
from kernelwright.agents.model.ledger import Asked, Ledger
from kernelwright.agents.model.limits import (
    DEADLINE_S,
    MORE_TRIES,
    TEMPERATURE,
    answer_limit,
    effort_for,
)
from kernelwright.agents.model.schemas import strict_schema
from kernelwright.agents.model.words import one_line
from kernelwright.agents.proposer import BudgetExhausted, NoUsableAnswer
from kernelwright.config import Allowance, TokenPrice
from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM, Completion, Effort, Heard, Request, Tool
from kernelwright.llm.prices import most_usage, with_cost
from kernelwright.prompts.context import Block, Context, Role
from kernelwright.prompts.render import render
from kernelwright.schema import Message, ModelCall, Span, Usage, digest
from kernelwright.store.results import Lost

T = TypeVar("T")
Messages = tuple[Message, ...]
NO_EFFORTS: Mapping[Role, Effort | None] = MappingProxyType({})
LOST = "the connection broke; the answer may have been paid for"
# Stands for an answer that is not worth sending back; providers refuse an empty one.
NO_ANSWER = "[no usable answer]"
PROBLEM_CHARACTERS = 300
LONGEST_SENT_BACK = 100_000
"""Most characters of an answer that is sent back; all of it would be paid for again."""


class Asking(NamedTuple):
    """The user's settings for the calls of a task."""

    each: Allowance = Allowance()
    """Most that one attempt may use."""
    without: Collection[Block] = ()
    """Blocks that no prompt has."""
    price: TokenPrice | None = None
    """Price of models that the price table lacks."""
    answer_tokens: int | None = None
    """Most tokens of an answer; None: by the table of models."""
    efforts: Mapping[Role, Effort | None] = NO_EFFORTS
    """Effort by role; None leaves it to the provider."""


DEFAULTS = Asking()


class Caller:
    """The maker of one task's model calls; several attempts may be under way at once.

    Args:
        models: by role.
        budget: of the task.
        earlier: calls of the task in an earlier part of the run.
        lost: what those without an answer may have used.
        hear: told how many characters of an answer have come.
    """

    def __init__(
        self,
        models: Mapping[Role, LLM],
        budget: Budget,
        ledger: Ledger,
        asking: Asking = DEFAULTS,
        earlier: Iterable[ModelCall] = (),
        lost: Iterable[Lost] = (),
        hear: Callable[[int], None] | None = None,
    ) -> None:
        self._models = models
        self._budget = budget
        self.calls_each = asking.each.calls
        """The most calls of one attempt; None: as many as the other limits allow."""
        self.ledger = ledger
        self._asking = asking
        self._hear = hear
        self._lock = threading.Lock()
        self._usage: defaultdict[int, Usage] = defaultdict(Usage.zero)
        self._budgets: dict[int, Budget] = {}
        self._coder_calls: defaultdict[int, int] = defaultdict(int)
        for call in earlier:
            if call.attempt is not None:
                self._usage[call.attempt] += call.usage
                if call.answer is not None:
                    self._within(call.attempt).add(call.usage)
                    self._coder_calls[call.attempt] += call.role == "coder"
        for one in lost:
            self._within(one.attempt).add(one.usage)

    def model(self, role: Role) -> str:
        """Return the `provider/name` of a role's model."""
        return self._models[role].name

    def shown(self, context: Context) -> Context:
        """Return a context without the blocks that are switched off."""
        return context.without(self._asking.without)

    def prompt_hash(self, role: Role, context: Context) -> str:
        """Return the identity of the prompt that a context makes."""
        messages = render(role, self.shown(context))
        return digest([message.model_dump() for message in messages])

    def ask(
        self,
        attempt: int,
        role: Role,
        context: Context,
        read: Callable[[Completion], T],
        *,
        form: type[Answer] | None = None,
        harder: bool = False,
    ) -> T:
        """Ask, and ask again with the exact complaint where `read` raises BadAnswer.

        An answer that the limit on its tokens cut off is asked for again with a higher one.

        Args:
            attempt: index of the attempt that it is for.
            context: what the role is shown; blocks that are switched off are left out.
            form: of the answer, for models that keep to a schema; None for free text.
            harder: ask for one step more effort.

        Returns:
            What `read` made of the first good answer.

        Raises:
            NoUsableAnswer: there was none; its message is the fault of the last one.
            BudgetExhausted: before a call that a budget does not allow.
            InfrastructureError: the provider failed for good.
        """
        limit, problem = answer_limit(role, self.model(role), self._asking.answer_tokens), ""
        request = self.opening(role, context, form=form, harder=harder)
        blocks = self.shown(context).characters()
        for _ in range(1 + MORE_TRIES):
            completion = self.call(attempt, role, request, blocks)
            try:
                return read(completion)
            except BadAnswer as bad:
                problem = bad.problem
                raised = limit.raised_for(completion)
                messages = () if raised else _complaint(completion, bad)
            limit = raised or limit
            changes = {"messages": request.messages + messages, "max_tokens": limit.tokens}
            request = request.model_copy(update=changes)
        raise NoUsableAnswer(one_line(problem, PROBLEM_CHARACTERS))

    def opening(
        self,
        role: Role,
        context: Context,
        *,
        form: type[Answer] | None = None,
        harder: bool = False,
        tools: tuple[Tool, ...] = (),
    ) -> Request:
        """Return the first request of a conversation; see `ask` for the arguments."""
        model = self.model(role)
        return Request(
            messages=render(role, self.shown(context)),
            max_tokens=answer_limit(role, model, self._asking.answer_tokens).tokens,
            temperature=TEMPERATURE,
            effort=effort_for(model, self._asking.efforts.get(role), harder),
            answer_schema=None if form is None else strict_schema(form),
            cache_key=self.ledger.cache_key(role),
            tools=tools,
        )

    def usage(self, attempt: int) -> Usage:
        """Return the sum over an attempt's calls; a part that one of them lacks is None."""
        with self._lock:
            return self._usage[attempt]

    def coder_calls(self, attempt: int) -> int:
        """Return the number of an attempt's answered calls of the coder, in all parts of a run."""
        with self._lock:
            return self._coder_calls[attempt]

    def _within(self, attempt: int) -> Budget:
        with self._lock:
            if attempt not in self._budgets:
                self._budgets[attempt] = self._budget.inner("attempt", self._asking.each)
            return self._budgets[attempt]

    def call(
        self, attempt: int, role: Role, request: Request, blocks: dict[str, int]
    ) -> Completion:
        """Return the answer to a request: the stored one, or a new one, within the budget.

        Args:
            blocks: characters of each block of the prompt, for the record.

        Raises:
            BudgetExhausted: a budget does not allow it.
            InfrastructureError: the provider failed for good.
        """
        llm = self._models[role]
        asked = Asked(model=llm.name, request=request)
        worst = most_usage(llm.name, request, self._asking.price)
        known = self.ledger.answer(attempt, asked)
        if known is not None:
            return known
        with self._within(attempt).reserved(worst) as reservation:
            self.ledger.note(attempt, asked, worst)
            call = partial(_call, attempt, role, llm.name, request.messages, blocks, time.time())
            try:
                completion = llm.complete(
                    request,
                    deadline_s=DEADLINE_S,
                    pay_again=partial(self._pay_again, reservation, attempt, asked, worst, call),
                    watch=self._watch,
                )
            except (InfrastructureError, BudgetExhausted) as error:
                self.ledger.failed(self._counted(call(error=error.message)))
                raise
            usage = with_cost(completion.usage, llm.name, self._asking.price)
            reservation.settle(usage)
            made = self._counted(call(answer=completion.text, usage=usage))
            self.ledger.answered(attempt, asked, completion, made)
            with self._lock:
                self._coder_calls[attempt] += role == "coder"
        return completion

    def _watch(self, heard: Heard) -> bool:
        if self._hear is not None:
            self._hear(heard.characters)
        return True

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
        self.ledger.failed(self._counted(call(error=LOST)))
        reservation.renew()
        self.ledger.note(attempt, asked, worst)

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
