"""Progress on stderr: a rich view in a terminal, plain lines elsewhere.

In a terminal the view redraws itself at the bottom, and what has happened scrolls up and stays.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kernelwright.agents.search.ranking import eager_speedup
from kernelwright.report.format import cost
from kernelwright.report.verdict import evaluation_words
from kernelwright.schema import Attempt, Evaluation, Task, Usage

if TYPE_CHECKING:  # `runs show` needs nothing that imports torch
    from kernelwright.agents.engine import Progress

    class View(Progress, Protocol):
        """An observer of a run that shows what it is told."""

        def say(self, text: str) -> None:
            """Show a line that stays. A signal handler may call this at any moment."""


PHASES = {
    "reference": "running the reference",
    "plan": "planning",
    "code": "writing code",
    "evaluate": "building, checking and timing",
    "profile": "looking for the bottleneck",
    "ended": "the search ended",
    "prove": "measuring the best one again",
    "step": "proving",
    "ordinary": "timing it in ordinary interpreters",
}
SHORT = ("plan", "code", "evaluate", "profile")
"""Phases without a line in a log: the attempt has one."""
REDRAW_S = 0.25


class PlainProgress:
    """Progress as one line per event, for a log file or a pipe."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """See `View.say`. A handler may have interrupted a print, so this is a write of its own."""
        os.write(2, f"{text}\n".encode())

    def phase(self, task: Task, phase: str, text: str) -> None:
        """See `Progress.phase`; phases that take long get a line, and what a planner notes."""
        if phase not in SHORT or (phase == "plan" and text):
            self._say(f"{task.id}: {PHASES.get(phase, phase)}" + (f": {text}" if text else ""))

    def heard(self, task: Task, characters: int) -> None:
        """See `Progress.heard`: nothing, a log would be full of it."""

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """See `Progress.attempt`."""
        paid = "" if attempt.usage.is_free else f", {cost(attempt.usage)}"
        self._say(f"{task.id}: attempt {attempt.number}: {outcome(attempt)}{paid}")

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """See `Progress.final`."""
        self._say(f"{task.id}: strict: {evaluation_words(evaluation)}")

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f}s] {text}", file=sys.stderr, flush=True)


class LiveProgress:
    """A view that redraws itself: phase, best so far, number of attempts, cost."""

    def __init__(self, attempts: int | None) -> None:
        self._limit = attempts
        self._task: Task | None = None
        self._now = ("", "", time.monotonic())
        self._heard = 0
        """Characters of the answer that is coming."""
        self._attempts: list[Attempt] = []
        self._usage = Usage.zero()
        self._spinner = Spinner("dots")
        self._finalist = ""
        """The plan of the attempt that is being proven."""
        self._lines: deque[Text] = deque()
        """Lines that stay and that are not printed yet."""

    def say(self, text: str) -> None:
        """See `View.say`. The thread that draws prints it: what is drawn would erase it."""
        self._lines.append(Text(text))

    def phase(self, task: Task, phase: str, text: str) -> None:
        """See `Progress.phase`."""
        if self._task is None or self._task.id != task.id:
            self._task, self._attempts = task, []
            self._lines.append(Text(task.id, "bold"))
        self._now = (PHASES.get(phase, phase), text, time.monotonic())
        self._heard = 0
        if phase == "prove":
            self._finalist = text
        if phase == "ended" or (phase == "plan" and text):
            self.say(f"  {PHASES[phase]}: {text}")

    def heard(self, task: Task, characters: int) -> None:
        """See `Progress.heard`."""
        self._heard = characters

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """See `Progress.attempt`."""
        self._attempts.append(attempt)
        self._usage = self._usage + attempt.usage
        self.say(f"  {attempt.number}. {outcome(attempt)}")

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """See `Progress.final`."""
        self.say(f"  strict: {evaluation_words(evaluation)} [{self._finalist}]")

    def print_lines(self, console: Console) -> None:
        """Print the lines that came since the last call."""
        while self._lines:
            console.print(self._lines.popleft())

    def __rich__(self) -> Any:
        """Return the view at this moment."""
        if self._task is None:
            return Text("starting")
        phase, text, since = self._now
        heard = f", {self._heard:,} characters" if self._heard else ""
        self._spinner.update(text=Text(f"{phase}, {time.monotonic() - since:.0f} s{heard}"))
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("task", "dim"), Text(self._task.id, "bold"))
        table.add_row(Text("now", "dim"), self._spinner)
        if text:
            table.add_row("", Text(text, overflow="ellipsis", no_wrap=True))
        table.add_row(Text("best", "dim"), Text(self._best(), "green"))
        done = len(self._attempts)
        limit = "" if self._limit is None else f" of {self._limit}"
        table.add_row(Text("attempts", "dim"), Text(f"{done}{limit}"))
        table.add_row(Text("cost", "dim"), Text(cost(self._usage)))
        return table

    def _best(self) -> str:
        speedups = [s for s in map(eager_speedup, self._attempts) if s is not None]
        return f"{max(speedups):.2f}x eager" if speedups else "none yet"


@contextmanager
def shown_progress(attempts: int | None, console: Console | None = None) -> Iterator[View]:
    """Yield the view that suits stderr: live in a terminal, else plain.

    Args:
        attempts: the most that a task may have; None: the budget limits them.
        console: stderr's, by default.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    view, ended = LiveProgress(attempts), threading.Event()
    with Live(view, console=console, transient=True, auto_refresh=False) as live:

        def draw() -> None:
            while not ended.wait(REDRAW_S):
                view.print_lines(console)
                live.refresh()

        drawing = threading.Thread(target=draw, daemon=True)
        drawing.start()
        try:
            yield view
        finally:
            ended.set()
            drawing.join()
            view.print_lines(console)


def outcome(attempt: Attempt) -> str:
    """Return an attempt in one line."""
    if attempt.dropped is not None:
        return f"dropped: {attempt.dropped} [{attempt.plan}]"
    if attempt.evaluation is None:
        return f"infrastructure error: {attempt.error}"
    return f"{evaluation_words(attempt.evaluation)} [{attempt.plan}]"
