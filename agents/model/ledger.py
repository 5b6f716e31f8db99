"""The ledger: every request is on disk before it is sent, and its answer before it is used.

So a run that was killed asks nothing again that was answered, and what it may have paid for answers
that never came is counted. A tool's result is on disk before a model is shown it: what a model was
told stays what it was told.
"""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.llm.base import Completion, Request
from kernelwright.schema import ModelCall, Record, ToolStep, Usage, digest
from kernelwright.store.store import Store


class Asked(Record):
    """A request as it stands in the ledger."""

    model: str
    request: Request

    @property
    def key(self) -> str:
        """Identity within an attempt: the same question to the same model."""
        return digest([self.model, self.request.key])


class Ledger(NamedTuple):
    """The ledger of one task of a run."""

    store: Store
    run_id: str
    task_id: str

    def cache_key(self, role: str) -> str:
        """Return the name that a role's requests share at the provider, in 32 characters."""
        return digest([self.run_id, self.task_id, role])[:32]

    def answer(self, attempt: int, asked: Asked) -> Completion | None:
        """Return the stored answer to a request; None where there is none."""
        text = self.store.answer_to(self.run_id, self.task_id, attempt, asked.key)
        return None if text is None else Completion.model_validate_json(text)

    def note(self, attempt: int, asked: Asked, worst: Usage) -> None:
        """Note that a request without an answer is about to be sent."""
        place = (self.run_id, self.task_id, attempt, asked.key)
        request = asked.request.model_copy(update={"messages": ()})
        rest = asked.model_copy(update={"request": request})
        self.store.journal(*place, rest, asked.request.messages, worst)

    def answered(self, attempt: int, asked: Asked, answer: Completion, call: ModelCall) -> None:
        """Store an answer and its call, both or neither."""
        place = (self.run_id, self.task_id, attempt, asked.key)
        self.store.settle(*place, answer.model_dump_json(), call)

    def tool_result(self, attempt: int, key: str) -> ToolStep | None:
        """Return the stored step of a tool call; None where there is none.

        Args:
            key: identity of the call within the attempt.
        """
        return self.store.tool_step(self.run_id, self.task_id, attempt, key)

    def tool_done(self, attempt: int, key: str, step: ToolStep) -> ToolStep:
        """Store what a tool did, and return the step to go on with.

        It is the one of another process, where that was first.
        """
        return self.store.add_tool_step(self.run_id, self.task_id, attempt, key, step)

    def failed(self, call: ModelCall) -> None:
        """Store a call that gave no answer."""
        self.store.add_model_call(self.run_id, self.task_id, call)
