"""The errors that reach a user: one sentence, a hint, and an exit code.

A candidate's fault is never an exception; it is a `Status`. These are for everything else.
"""

from __future__ import annotations


class KernelwrightError(Exception):
    """Base of all errors this project raises on purpose.

    Args:
        message: one sentence that says what is wrong.
        hint: what the user can do about it; printed after `hint:`.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint is not None:
            self.add_note(f"hint: {hint}")  # shown below a traceback, in a notebook too


class UsageError(KernelwrightError):
    """A wrong command line, configuration or task file."""

    exit_code = 2


class TaskError(UsageError):
    """A task file that cannot be used: missing, not Python, or not in KernelBench format."""


class InvalidReferenceError(UsageError):
    """A reference that fails when a worker runs it, so nothing can be measured against it."""


class PrerequisiteError(KernelwrightError):
    """Something this machine lacks: a compiler, a key, a package, disk space."""


class InfrastructureError(KernelwrightError):
    """A failure of a part of the system, not of the candidate; retried, never scored."""


class ProviderError(InfrastructureError):
    """A model provider's refusal, or its failure after the retries that make sense."""


class NoToolsError(ProviderError):
    """A server's refusal of a request because of its tools."""


class StoreError(PrerequisiteError):
    """A database that cannot be opened, read or written."""


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint for an unknown `name`: the closest known one, then all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    start = f"did you mean {close[0]!r}? " if close else ""
    return f"{start}known: {', '.join(sorted(known))}"
