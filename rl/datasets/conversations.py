"""The messages behind a candidate: as a model really saw them, or a plain instruction."""

from __future__ import annotations

from collections.abc import Iterable

from kernelwright.schema import Attempt, Message, ModelCall, Task

Messages = list[dict[str, str]]

_SYSTEM = (
    "You are an expert in performance engineering for PyTorch. You answer with one complete "
    "Python file and nothing else."
)
_USER = """\
Make this PyTorch module faster. Write a complete file that defines `ModelNew` with the same \
constructor and the same `forward` as `Model`, and returns the same values within the usual \
floating-point tolerance for every input.

```python
{source}
```
"""


def instruction(task: Task) -> Messages:
    """The plain instruction for a task; it shows the reference and nothing of hidden workloads."""
    user = _USER.format(source=task.source.strip())
    return as_rows([Message(role="system", content=_SYSTEM), Message(role="user", content=user)])


def stored_prompt(attempt: Attempt, calls: Iterable[ModelCall]) -> Messages | None:
    """What the coder was shown when it wrote the attempt's candidate; None where not recorded.

    A call belongs to the attempt when its answer contains the candidate's file.
    """
    if attempt.candidate is None:
        return None
    source = attempt.candidate.source.strip()
    for call in calls:
        if call.role == "coder" and call.answer and source and source in call.answer:
            return as_rows(call.messages)
    return None


def answer(attempt: Attempt) -> Messages:
    """The candidate's file as the assistant's turn."""
    source = attempt.candidate.source if attempt.candidate else ""
    return as_rows([Message(role="assistant", content=source)])


def as_rows(messages: Iterable[Message]) -> Messages:
    """Messages as `{"role", "content"}`, the form that trainers read."""
    return [{"role": message.role, "content": message.content} for message in messages]
