"""Commands in a real terminal: what they say is still there in the end."""

from __future__ import annotations

from tests.cli.kit import TASK, Shell
from tests.cli.terminal import Terminal
from tests.end_to_end.test_optimize import FAST


def test_ctrl_c_is_answered_where_it_can_be_read(shell: Shell) -> None:
    task = shell.write("mine/task.py", TASK)
    with Terminal(shell, "optimize", task, *FAST) as terminal:
        terminal.read_until("  1. ")
        terminal.press("\x03")
        terminal.read_until("finishing what is running; once more to stop now")
        code, screen = terminal.end()
    assert code == 130, screen
    lines = [line for line in screen.splitlines() if not line.startswith("memory:")]
    assert lines[0] in ("^Cmine/task", "mine/task"), screen
    assert "x eager" in lines[1], screen
    assert "finishing what is running; once more to stop now" in lines, screen
    assert "interrupted; to continue: kernelwright runs resume" in lines[-1], screen
    assert shell.left_processes() == []
