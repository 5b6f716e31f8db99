"""A terminal as an emulator shows it, for output that moves the cursor and erases."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Self

import pyte

from tests.cli.kit import Shell

COLUMNS, LINES = 110, 60
LONGEST_S = 240.0
# The command gets this terminal as its own, so that Ctrl-C reaches it as it does from a keyboard.
LAUNCH = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "kernelwright", *sys.argv[1:]])
"""


def new_screen() -> pyte.Screen:
    """Return an empty screen."""
    return pyte.Screen(COLUMNS, LINES)


def text_of(screen: pyte.Screen) -> str:
    """Return the text on a screen, without blank lines."""
    return "\n".join(line.rstrip() for line in screen.display if line.strip())


class Terminal:
    """A command that runs in a terminal of its own. Use as a context manager."""

    def __init__(self, shell: Shell, *arguments: str, **env: str) -> None:
        self._screen = new_screen()
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *arguments],
            cwd=shell.folder,
            env=shell.environment({"TERM": "xterm-256color", **env}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """The text that is on the screen now."""
        return text_of(self._screen)

    def press(self, keys: str) -> None:
        """Type something; `\\x03` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def read_until(self, words: str) -> str:
        """Read what is written until the screen has some words; return its text."""
        end = time.monotonic() + LONGEST_S
        while words not in self.text:
            assert time.monotonic() < end and self._read(), f"no {words!r} on:\n{self.text}"
        return self.text

    def end(self) -> tuple[int, str]:
        """Read until the command ends; return its exit code and the last screen."""
        while self._read():
            pass
        return self._process.wait(LONGEST_S), self.text

    def _read(self) -> bool:
        try:
            written = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the other end was closed
            return False
        self._stream.feed(written)
        return bool(written)
