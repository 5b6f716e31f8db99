"""Live progress on stderr: a rich view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
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

PHASES = {
    "reference": "running the reference",
    "plan": "planning",
    "code": "writing code",
    "evaluate": "building, checking and timing",
    "profile": "looking for the bottleneck",
    "ended": "the search ended",
    "prove": "measuring the best one again",
    "ordinary": "timing it in ordinary interpreters",
}


class PlainProgress:
    """Progress as one line per event, for a log file or a pipe."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def phase(self, task: Task, phase: str, text: str) -> None:
        """See `Progress.phase`; only phases that take long get a line."""
        if phase in ("reference", "ended", "prove", "ordinary"):
            self._say(f"{task.id}: {PHASES[phase]}" + (f": {text}" if text else ""))

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """See `Progress.attempt`."""
        paid = "" if attempt.usage == Usage.zero() else f", {cost(attempt.usage)}"
        self._say(f"{task.id}: attempt {attempt.number}: {outcome(attempt)}{paid}")

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """See `Progress.final`."""
        self._say(f"{task.id}: strict: {evaluation_words(evaluation)}")

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f}s] {text}", file=sys.stderr, flush=True)


class LiveProgress:
    """A view that redraws itself: phase, best so far, attempts, cost."""

    def __init__(self, attempts: int) -> None:
        self._limit = attempts
        self._task: Task | None = None
        self._now = ("", "", time.monotonic())
        self._attempts: list[Attempt] = []
        self._usage = Usage.zero()
        self._spinner = Spinner("dots")

    def phase(self, task: Task, phase: str, text: str) -> None:
        """See `Progress.phase`."""
        if self._task is None or self._task.id != task.id:
            self._task, self._attempts = task, []
        self._now = (PHASES.get(phase, phase), text, time.monotonic())

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """See `Progress.attempt`."""
        self._attempts.append(attempt)
        self._usage = self._usage + attempt.usage

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """See `Progress.final`."""
        self._now = (f"strict: {evaluation_words(evaluation)}", "", time.monotonic())

    def __rich__(self) -> Any:
        """Return the view at this moment."""
        if self._task is None:
            return Text("starting")
        phase, text, since = self._now
        self._spinner.update(text=Text(f"{phase}, {time.monotonic() - since:.0f} s"))
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("task", "dim"), Text(self._task.id, "bold"))
        table.add_row(Text("now", "dim"), self._spinner)
        if text:
            table.add_row("", Text(text, overflow="ellipsis", no_wrap=True))
        table.add_row(Text("best", "dim"), Text(self._best(), "green"))
        done = len(self._attempts)
        table.add_row(Text("attempts", "dim"), Text(f"{done} of {self._limit}"))
        table.add_row(Text("cost", "dim"), Text(cost(self._usage)))
        last = self._attempts[-3:]
        return Group(table, *(Text(f"  {a.number}. {outcome(a)}", "dim") for a in last))

    def _best(self) -> str:
        speedups = [s for s in map(eager_speedup, self._attempts) if s is not None]
        return f"{max(speedups):.2f}x eager" if speedups else "none yet"


@contextmanager
def shown_progress(attempts: int) -> Iterator[Progress]:
    """Yield the view that suits stderr: live in a terminal, else plain."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    live = LiveProgress(attempts)
    with Live(live, console=console, transient=True, refresh_per_second=4):
        yield live


def outcome(attempt: Attempt) -> str:
    """Return an attempt in one line."""
    if attempt.dropped is not None:
        return f"dropped: {attempt.dropped} [{attempt.plan}]"
    if attempt.evaluation is None:
        return f"infrastructure error: {attempt.error}"
    return f"{evaluation_words(attempt.evaluation)} [{attempt.plan}]"
