"""The answer of a run: a faster module, or why there is none."""

from __future__ import annotations

import collections
import html
import shutil
from pathlib import Path
from typing import NamedTuple

from torch import nn

from kernelwright.errors import UsageError
from kernelwright.live.module import FastPath
from kernelwright.report.format import speedup
from kernelwright.report.result import REPORT
from kernelwright.report.view import headline_of
from kernelwright.schema import Speedup
from kernelwright.store.files import explained
from kernelwright.store.results import TaskResult

FRAME = '<iframe srcdoc="{}" style="width: 100%; height: 40em; border: 0"></iframe>'


class Report:
    """The report of a run: a path, which a notebook shows as the page itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        return FRAME.format(html.escape(self.path.read_text(encoding="utf-8")))


class Live(NamedTuple):
    """The module that a run was given, with what it may get."""

    original: nn.Module
    fixed: tuple[str, ...]
    """Words on what the export fixed of the call."""
    fast: nn.Module | None = None
    """The module with a fast path; None where there is none."""
    path: FastPath | None = None
    problem: str | None = None
    """Reason why a proven file is not handed over."""


class Optimized:
    """The answer of a run.

    Args:
        run_id: the id under which the run is stored.
        result: the answer of its task.
        folder: the folder of its files.
        file: the proven file; None where nothing was found.
        notes: what the search said about ways that it did not go.
        live: the module that was given; None where the task was a file.
    """

    def __init__(
        self,
        run_id: str,
        result: TaskResult,
        folder: Path,
        file: Path | None,
        notes: tuple[str, ...],
        live: Live | None,
    ) -> None:
        self.run_id = run_id
        self.result = result
        self.folder = folder
        self.file = file
        self._notes = notes
        self._live = live

    @property
    def found(self) -> bool:
        """Whether there is something faster; a live module's has taken its place in three uses."""
        is_handed_over = self._live is None or self._live.fast is not None
        return self.file is not None and is_handed_over

    @property
    def module(self) -> nn.Module:
        """The module to use: with a fast path where one was found, else the one that was given.

        It has the parameters of the module that was given, and its state in every other way.

        Raises:
            UsageError: the task was a file, and not a live module.
        """
        if self._live is None:
            raise UsageError(
                "the task was a file: there is no live module to replace",
                hint=f"the proven class is ModelNew in {self.file}" if self.file else None,
            )
        return self._live.fast or self._live.original

    @property
    def fallbacks(self) -> collections.Counter[str]:
        """Calls of `module` that ran the original, by reason."""
        known = self._live and self._live.path
        return known.fallbacks if known else collections.Counter()

    @property
    def speedup(self) -> Speedup | None:
        """Speedup over eager PyTorch, median and 95% interval; None where nothing was found."""
        evaluation = self.result.evaluation
        if not self.found or evaluation is None or evaluation.gain is None:
            return None
        return evaluation.gain.speedup

    @property
    def source(self) -> str | None:
        """The text of the proven file; None where there is none."""
        return None if self.file is None else self.file.read_text(encoding="utf-8")

    @property
    def reason(self) -> str:
        """Why nothing was found, or what holds of what was."""
        if self._live is not None and self._live.problem is not None:
            return f"a file was proven, but {self._live.problem}"
        if self.result.error is not None:
            return self.result.error
        detail = headline_of(self.result).detail.rstrip(".")
        return "; ".join([detail, *self._notes])

    def report(self) -> Report:
        """Return the report: a path, which a notebook shows as a page."""
        return Report(self.folder / REPORT)

    def save(self, folder: str | Path) -> Path:
        """Copy all files of the result to a folder, which is made; return it.

        Raises:
            PrerequisiteError: the folder can't be written.
        """
        target = Path(folder)
        with explained(target):
            shutil.copytree(self.folder, target, dirs_exist_ok=True)
        return target

    def _scope(self) -> list[str]:
        """Return the scope in lines of text; a live module's mode is fixed like its arguments."""
        lines = self.result.scope.words() if self.result.scope else []
        if self._live is None:
            return lines
        own = [line for line in lines if not line.startswith(("constructor: ", "device: "))]
        return [*own, *self._live.fixed]

    def __repr__(self) -> str:
        if self.found:
            gain = self.speedup and speedup(self.speedup)
            proven = f"; proven for {'; '.join(self._scope())}"
            return f"{self.result.task_id}: {gain} the speed of eager PyTorch{proven}"
        word = "nothing decided" if self.result.status == "not_decided" else "nothing found"
        return f"{self.result.task_id}: {word}, because: {self.reason}"
