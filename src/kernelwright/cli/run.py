"""Parts of the commands that run candidates: the plan that is printed, and how they are ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from signal import SIGINT, SIGTERM
from typing import Any

import typer

from kernelwright.agents.roles import models, run_allowance, without_price
from kernelwright.batch.run import OpenRun, open_run
from kernelwright.cli.machine import tell_of_unused_gpu
from kernelwright.cli.progress import shown_progress
from kernelwright.config import OFFLINE, Allowance, Settings
from kernelwright.errors import InfrastructureError, StoreError
from kernelwright.schema import RunCommand, Task

INTERRUPTED = 130
Say = Callable[[str], None]
"""A function that shows a line of text beside a run's progress."""


def announce(settings: Settings, tasks: Sequence[Task], say: Say) -> None:
    """Say the plan, its estimated cost, and which models have no price: before one is asked."""
    if settings.model == OFFLINE:
        return
    from kernelwright.agents.model.estimate import estimate

    by_role = models(settings)
    found = estimate(settings, by_role, tasks)
    names = ", ".join(f"{role} {name}" for role, name in by_role.items())
    attempts = settings.search_settings.attempts
    most = f"up to {attempts} attempts a task" if attempts else "attempts as the budget allows"
    say(f"plan: {settings.search}, {most}; {names}")
    cost = ", dollars unknown" if found.usd is None else f" and ${found.usd:.2f}"
    calls = f"about {found.calls:,} calls{cost}" + ("" if attempts else " an attempt")
    calls += "" if found.most_calls is None else f"; at most {found.most_calls:,} calls"
    allowance = run_allowance(settings)
    instead = " in the place of dollars" if allowance.tokens != settings.budget_tokens else ""
    say(f"estimate: {calls}; limit: {', '.join(_limits(allowance))}{instead}")
    for name in without_price(settings):
        roles = " and ".join(role for role, model in by_role.items() if model == name)
        say(f"no price is known for {name} ({roles}): no limit in dollars holds for its calls")


def _limits(allowance: Allowance) -> Iterator[str]:
    for name, value in allowance.model_dump(exclude_none=True).items():
        yield f"${value:.2f}" if name == "usd" else f"{value:,} {name}"


@contextmanager
def command_run(
    command: RunCommand, settings: Settings, config: Mapping[str, Any], run_id: str, hint: str
) -> Iterator[tuple[OpenRun, Say]]:
    """Open the run of a command, with its progress on stderr and Ctrl-C as `draining` takes it.

    Args:
        hint: how to continue the run, for when it is stopped.

    Yields:
        The run, and a function that shows a line of text beside its progress. Nothing else may
        write to stderr meanwhile: in a terminal the progress is drawn over it.
    """
    tell_of_unused_gpu(settings)
    with (
        shown_progress(settings.search_settings.attempts) as view,
        draining(view.say) as checkpoint,
        open_run(command, settings, config, run_id, view, checkpoint) as opened,
        hint_if_stopped(hint, view.say),
    ):
        yield opened, view.say


@contextmanager
def draining(say: Say) -> Iterator[Callable[[], None]]:
    """Take the first Ctrl-C or SIGTERM as a request to end soon, the second as one to end now.

    Args:
        say: shows a line, also from a signal handler.

    Yields:
        A function to call before anything new is started; it raises KeyboardInterrupt after the
        first request.

    Raises:
        typer.Exit: the run was interrupted.
    """
    asked = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("finishing what is running; once more to stop now")

    def checkpoint() -> None:
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (SIGINT, SIGTERM)}
    try:
        yield checkpoint
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hint_if_stopped(hint: str, say: Say) -> Iterator[None]:
    """Say how to continue a run that is interrupted, or stopped by an infrastructure error."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; to continue: {hint}")
        raise
    except (InfrastructureError, StoreError):
        say(f"stopped; to continue: {hint}")
        raise
