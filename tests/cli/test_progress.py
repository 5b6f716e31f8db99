"""The live view in a terminal: what it draws is erased, what it says stays."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyte
import pytest
from rich.console import Console

from kernelwright.cli.progress import shown_progress
from kernelwright.schema import Status
from tests.cli.terminal import COLUMNS, LINES, new_screen, text_of
from tests.store import samples

if TYPE_CHECKING:
    from kernelwright.cli.progress import View


def screen_of(show: Callable[[View, Callable[[], str]], None]) -> str:
    """Return the last screen of a live view, while which `show` was called."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=COLUMNS, height=LINES)

    def now() -> str:
        screen = new_screen()
        screen.set_mode(pyte.modes.LNM)  # as a terminal does to the line ends of a program
        pyte.Stream(screen).feed(written.getvalue())
        return text_of(screen)

    with shown_progress(12, console) as view:
        show(view, now)
    return now()


def until(seen: Callable[[], bool]) -> None:
    """Wait for the thread that draws."""
    end = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_attempts_stay_and_what_is_drawn_goes() -> None:
    task = samples.task()

    def show(view: View, now: Callable[[], str]) -> None:
        view.phase(task, "plan", "")
        view.heard(task, 12_345)
        until(lambda: "planning, " in now() and "12,345 characters" in now())
        view.attempt(task, samples.attempt(0))
        until(lambda: "1 of 12" in now() and "  1. 2.40x eager" in now())
        view.attempt(task, samples.attempt(1, dropped="no usable answer: it is cut off"))
        view.phase(task, "plan", "library: nothing, because of aten.sort")
        view.phase(task, "ended", "all attempts used")
        view.phase(task, "prove", "the first plan")
        view.phase(task, "step", "comparing its values")
        until(lambda: "proving" in now() and "comparing its values" in now())
        view.final(task, samples.evaluation(samples.candidate(), 2.31, level="strict"))

    lines = screen_of(show).splitlines()
    assert lines[0] == task.id
    assert lines[1].startswith("  1. 2.40x eager (2.33 to 2.47)")
    assert lines[2].startswith("  2. dropped: no usable answer: it is cut off [plan 1")
    assert lines[3:] == [
        "  planning: library: nothing, because of aten.sort",
        "  the search ended: all attempts used",
        "  strict: 2.31x eager (2.24 to 2.38), 1.54x compile (1.49 to 1.59) [the first plan]",
    ]


def test_a_line_that_is_said_stays_in_its_place() -> None:
    def show(view: View, _now: Callable[[], str]) -> None:
        view.phase(samples.task(), "plan", "")
        view.say("finishing what is running; once more to stop now")
        view.say("interrupted; to continue: the same command again")

    assert screen_of(show).splitlines()[1:] == [
        "finishing what is running; once more to stop now",
        "interrupted; to continue: the same command again",
    ]


def test_markup_in_a_candidates_words_is_text() -> None:
    wrong = samples.evaluation(samples.candidate(), status=Status.RUNTIME_ERROR, reason="[red]x[/]")

    def show(view: View, _now: Callable[[], str]) -> None:
        view.attempt(samples.task(), samples.attempt(0, evaluation=wrong))

    assert "[red]x[/]" in screen_of(show)


def test_a_pipe_gets_lines(capfd: pytest.CaptureFixture[str]) -> None:
    with shown_progress(3, Console(file=io.StringIO())) as view:
        view.phase(samples.task(), "plan", "")
        view.heard(samples.task(), 12_345)
        view.phase(samples.task(), "plan", "library: nothing")
        view.phase(samples.task(), "step", "comparing its values")
        view.say("interrupted; to continue: it")
    noted, first, last = capfd.readouterr().err.splitlines()
    assert noted.endswith("kernelbench/36_RMSNorm_: planning: library: nothing")
    assert first.endswith("kernelbench/36_RMSNorm_: proving: comparing its values")
    assert last == "interrupted; to continue: it"
