"""The workbench of an episode: the file that is being written, and what can be tried on it.

It has a reference, a build cache and workers of its own. So nothing that is seen here shares an
input, a build folder or a worker with the judge's verdict on what is submitted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol, Self, TypeVar

from kernelwright.agents.cached_judge import Judging
from kernelwright.agents.model.answers import BadAnswer
from kernelwright.agents.model.coder import readable_file
from kernelwright.backends.registry import guess_backend
from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Criteria, Evaluation, Level, Origin, Status, Task
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.build.object_code import listing
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.faults import WorkerFault

T = TypeVar("T")
AT_ONCE: AbstractContextManager[object] = nullcontext()
"""Waits for nothing."""


class Misuse(Exception):
    """A tool call that makes no sense now; its message is for the model."""


class Seen(NamedTuple):
    """A file that was right on everything that was tried, and its speedup if it was timed."""

    source: str
    speedup: float | None = None


class Trying(Judging, Protocol):
    """A judge that a bench tries its file on."""

    def compare(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """See `Judge.compare`."""

    def profile(self, candidate: Candidate, build: Build) -> Evaluation:
        """See `Judge.profile`."""


class Bench:
    """A workbench. Use as a context manager.

    Args:
        task: hidden workloads are left out: nothing of them may be seen.
        source: the file to begin with; empty: none.
        one_evaluation: held while the file is built, compared or timed.

    Its methods raise InfrastructureError where a worker or the reference fails, and Misuse.
    """

    def __init__(
        self,
        task: Task,
        machine: Machine,
        criteria: Criteria,
        source: str = "",
        one_evaluation: AbstractContextManager[object] = AT_ONCE,
    ) -> None:
        shown = tuple(one for one in task.workloads if one.role != "hidden")
        self.task = task.model_copy(update={"workloads": shown})
        self.machine = machine
        self.criteria = criteria
        self.source = source
        self._one_evaluation = one_evaluation
        self._judge: Trying | None = None
        self._open = ExitStack()
        self._compared: dict[str, Evaluation] = {}
        self._timed: dict[str, Evaluation] = {}
        self._profiled: dict[str, Evaluation] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()

    def write(self, source: str) -> None:
        """Replace the file, its runtime by name."""
        self.source = source

    def edit(self, old: str, new: str) -> None:
        """Replace a text that stands in the file exactly once."""
        found = self.source.count(old) if old.strip() else 0
        if found != 1:
            raise Misuse(f"`old` occurs {found} times in the file, not once; nothing was changed")
        self.source = self.source.replace(old, new)

    def problem(self) -> str | None:
        """Return why the file is no Python that can be built; None where it is."""
        try:
            readable_file(self.source)
        except BadAnswer as bad:
            return bad.problem
        return None

    def build(self) -> Build | Evaluation:
        """Return the file's build, or the verdict on one that can't be built."""
        candidate = self._candidate()
        return self._twice(lambda: self._judging.build(candidate, "fast"))

    def compare(self) -> Evaluation:
        """Return the verdict on the file's values at `fast`, the same for the same file."""
        candidate = self._candidate()
        known = self._timed if candidate.hash in self._timed else self._compared
        return self._once(
            candidate, known, lambda build: self._judging.compare(candidate, "fast", build)
        )

    def evaluate(self) -> Evaluation:
        """Return the verdict on the file at `fast`, times too, the same for the same file."""
        candidate = self._candidate()
        return self._once(
            candidate, self._timed, lambda build: self._judging.evaluate(candidate, "fast", build)
        )

    def profile(self) -> Evaluation:
        """Return the verdict on the file at `fast` with its hot lines, the same for the same file.

        Raises:
            Misuse: it does not run or is not right.
        """
        candidate = self._candidate()
        found = self._timed.get(candidate.hash)
        if found is None or found.accepted:
            found = self._once(
                candidate, self._profiled, lambda build: self._judging.profile(candidate, build)
            )
            self._timed.setdefault(candidate.hash, found)
        if not found.accepted:
            is_broken = found.status in (Status.COMPILE_ERROR, Status.RUNTIME_ERROR, Status.TIMEOUT)
            why = "does not run" if is_broken else "is not right yet"
            raise Misuse(f"the file {why}: {found.reason}")
        return found

    def _once(
        self,
        candidate: Candidate,
        known: dict[str, Evaluation],
        judged: Callable[[Build], Evaluation],
    ) -> Evaluation:
        """Return what is known of a candidate; if nothing is, build and judge it."""

        def verdict() -> Evaluation:
            built = self._judging.build(candidate, "fast")
            return built if isinstance(built, Evaluation) else judged(built)

        if candidate.hash not in known:
            known[candidate.hash] = self._twice(verdict)
        return known[candidate.hash]

    def _twice(self, work: Callable[[], T]) -> T:
        """Do some work, and once more where it fails through no fault of the file.

        The judge makes its workers anew.
        """
        with self._one_evaluation:
            try:
                return work()
            except InfrastructureError:
                return work()

    def disassemble(self, function: str) -> str:
        """Return the instructions of a function of the built file, as objdump writes them.

        Raises:
            Misuse: it is not built, or has no such function.
        """
        built = self.build()
        if isinstance(built, Evaluation):
            raise Misuse(f"the file can't be built: {built.reason}")
        try:
            text = listing(self.machine, self.task.limits, built.folder, function)
        except WorkerFault as fault:
            raise Misuse(f"it can't be disassembled: {fault.reason}") from fault
        if not text:
            raise Misuse(f"no function of the built code has {function!r} in its name")
        return text

    @property
    def _judging(self) -> Trying:
        if self._judge is None:
            reference = self._open.enter_context(Reference.open(self.task, self.machine))
            folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="kernelwright-"))
            self._judge = Judge(reference, Path(folder), self.criteria)
        return self._judge

    def _candidate(self) -> Candidate:
        if not self.source.strip():
            raise Misuse("there is no file yet: write_file first")
        try:
            source = readable_file(self.source)
        except BadAnswer as bad:
            raise Misuse(bad.problem) from bad
        return Candidate(source=source, backend=guess_backend(source), origin=Origin(kind="model"))
