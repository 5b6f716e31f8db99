"""Run the real command line in a process of its own, with its own home.

Most commands are forked from a process that has imported everything: importing torch takes longer
than most of them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.cli import command

ROOT = Path(__file__).parents[2]
TASK = """
import torch
from torch import nn

ROWS = 64
COLS = 1024


class Model(nn.Module):
    def forward(self, x):
        return torch.sigmoid(torch.nn.functional.silu(x) + x * 0.5) * x


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return []
"""
# A fresh interpreter that preloads modules and then forks one process per command.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["tests.cli.command", "kernelwright.agents.optimize", "kernelwright.verifier.audit"]
)
LONGEST_S = 1200.0
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")


class Done(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str


class Shell(NamedTuple):
    """A private home, working folder and temporary folder for commands."""

    folder: Path

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return this process's environment with the user's folders, settings and keys replaced."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("KERNELWRIGHT_") and name not in KEYS
        }
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        own = {
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PYTHONPATH": str(ROOT / "src"),
            "NO_PROXY": "127.0.0.1",
        }
        return {**kept, **own, **more}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in an interpreter of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "kernelwright", *arguments],
            cwd=self.folder,
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> Done:
        """Run a command to its end."""
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "out"), Path(folder, "err")
            cores = os.sched_getaffinity(0)  # cores of this thread; a child would inherit them
            order = arguments, self.environment(env), self.folder, cores, written
            process = FORKS.Process(target=command.run, args=order)
            process.start()
            process.join(LONGEST_S)
            assert process.exitcode is not None, "a command did not end"
            return Done(process.exitcode, *(path.read_text() for path in written))

    def write(self, name: str, text: str) -> str:
        """Put a file into the working folder; return its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    def left_processes(self) -> list[int]:
        """Return the ids of processes that work below our temporary folder, such as workers."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    folder = os.readlink(entry / "cwd")
                except OSError:
                    continue
                if folder.startswith(str(self.folder / "tmp")):
                    found.append(int(entry.name))
        return found

    def left_files(self) -> list[str]:
        """Return the names of files left in the temporary folder."""
        return sorted(path.name for path in (self.folder / "tmp").iterdir())
