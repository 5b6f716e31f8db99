"""The messages behind a candidate: as a model really saw them, or a plain instruction."""

from __future__ import annotations

from collections.abc import Iterable

from kernelwright.schema import Attempt, Message, ModelCall, Task, digest
from kernelwright.tasks.kinds.registry import kind_of

Messages = list[dict[str, str]]

_SYSTEM = (
    "You are an expert in performance engineering for PyTorch. You answer with one complete "
    "Python file and nothing else."
)
_USER = """\
{request}

```python
{source}
```
"""


def instruction(task: Task) -> Messages:
    """Return the plain instruction for a task: the reference, and nothing of hidden workloads."""
    user = _USER.format(request=kind_of(task).request, source=task.source.strip())
    return as_rows([Message(role="system", content=_SYSTEM), Message(role="user", content=user)])


def stored_prompt(attempt: Attempt, calls: Iterable[ModelCall]) -> Messages | None:
    """Return what the coder was shown when it wrote the attempt's candidate.

    That is the last answered call to the prompt that the candidate names; earlier answers could not
    be used, and those to other prompts are repairs. Calls of early records name no attempt: such a
    call counts when its answer holds the file.

    Returns:
        None where no call was recorded.
    """
    if attempt.candidate is None:
        return None
    answered = [call for call in calls if call.role == "coder" and call.answer]
    own = [call for call in answered if call.attempt == attempt.index]
    named = attempt.candidate.origin.prompt_hash
    own = [call for call in own if _prompt_hash(call) == named] or own
    source = attempt.candidate.source.strip()
    early = [call for call in answered if call.attempt is None and source in (call.answer or "")]
    return as_rows((own or early)[-1].messages) if own or early else None


def _prompt_hash(call: ModelCall) -> str:
    """Return the identity of a call's prompt: of its messages before any complaint."""
    return digest([message.model_dump() for message in call.messages[:2]])


def answer(attempt: Attempt) -> Messages:
    """Return the candidate's file as the assistant's turn."""
    source = attempt.candidate.source if attempt.candidate else ""
    return as_rows([Message(role="assistant", content=source)])


def as_rows(messages: Iterable[Message]) -> Messages:
    """Return messages as `{"role", "content"}`, the form that trainers read."""
    return [{"role": message.role, "content": message.text} for message in messages]
