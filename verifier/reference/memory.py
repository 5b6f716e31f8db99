"""The judge's memory: one budget for what is kept and what is in use, and whether it is there.

Cases, timed inputs and expected values of timed calls are kept for the next candidates as long as
they fit. All of them come from seeds, so what does not fit is made again and is the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NamedTuple

from kernelwright.errors import InvalidReferenceError
from kernelwright.sandbox.available import available_bytes, private_bytes
from kernelwright.tasks.constants import sizes
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient

LEAST_BYTES, CASES = 500 * 10**6, 4
# Workers that live at once: the oracle counts twice, as it also computes in float64; eager, the
# compiled reference, and two of a candidate.
WORKERS = 6


class Worth(IntEnum):
    """The worth of what is kept, by byte: what takes longer to make again, or is used more."""

    EXPECTED = 0
    """Expected values of timed calls, of which few are wanted again."""
    INPUTS = 1
    CASE = 2


class _Kept(NamedTuple):
    value: Any
    nbytes: int
    worth: Worth


class MemoryBudget:
    """A budget in bytes of what is kept and what is in use; it evicts, and never says no to use.

    What came first stays: candidates ask for the same things in the same order, so that of things
    of equal worth the last in would be the next that is wanted.
    """

    def __init__(self, nbytes: int = LEAST_BYTES) -> None:
        self.nbytes = nbytes
        self._kept: dict[Hashable, _Kept] = {}
        self._kept_bytes = self._used_bytes = 0

    def fit(self, case_bytes: int) -> None:
        """Raise the budget to four times a case of this size, where that is more."""
        self.nbytes = max(self.nbytes, CASES * case_bytes)

    @property
    def unused_bytes(self) -> int:
        """Bytes that are not in use; what is kept in them can go."""
        return max(0, self.nbytes - self._used_bytes)

    @property
    def _excess(self) -> int:
        return self._kept_bytes + self._used_bytes - self.nbytes

    def get(self, key: Hashable) -> Any:
        """Return what is kept under a key; None if nothing is."""
        found = self._kept.get(key)
        return found and found.value

    def keep(self, key: Hashable, value: object, nbytes: int, worth: Worth) -> None:
        """Keep a value if it fits, perhaps in place of what is worth less."""
        self._drop(key)
        less = sum(kept.nbytes for kept in self._kept.values() if kept.worth < worth)
        if self._excess + nbytes > less:
            return
        self._evict(nbytes)
        self._kept[key] = _Kept(value, nbytes, worth)
        self._kept_bytes += nbytes

    def take(self, nbytes: int) -> None:
        """Have so many bytes for something else from now on."""
        self._used_bytes += nbytes
        self._evict(0)

    @contextmanager
    def used(self, nbytes: int) -> Iterator[None]:
        """Have so many bytes for something else meanwhile."""
        self.take(nbytes)
        try:
            yield
        finally:
            self._used_bytes -= nbytes
            if self.nbytes > LEAST_BYTES:  # it takes 6 ms, which small tasks would feel
                trim()

    def _evict(self, nbytes: int) -> None:
        """Make room for so many bytes: of what is worth least, the last in is the first out."""
        last_first = sorted(reversed(self._kept), key=lambda key: self._kept[key].worth)
        for key in last_first:
            if self._excess + nbytes <= 0:
                return
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        if key in self._kept:
            self._kept_bytes -= self._kept.pop(key).nbytes


def trim() -> None:
    """Give free memory back to the system: tensors of some MB would leave holes in the heap."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # not in musl
        libc.malloc_trim(0)


class Needs(NamedTuple):
    """The memory that judging a workload takes."""

    judge: int
    workers: int

    @property
    def words(self) -> str:
        """Both in a few words."""
        return f"the judge up to {_size(self.judge)}, its workers about {_size(self.workers)}"


def needs(budget: MemoryBudget, prepared: PreparedWorkload, oracle: WorkerClient) -> Needs:
    """Return the memory that a workload takes, by what it took in the oracle."""
    by_formula = 3 * prepared.result_bytes + prepared.state.nbytes
    one = private_bytes(oracle.process.pid) or by_formula
    return Needs(budget.nbytes, WORKERS * one + prepared.example_inputs.nbytes)


def require_room(prepared: PreparedWorkload, oracle: WorkerClient, wanted: Needs) -> None:
    """Check that the machine has the memory that a workload takes.

    Raises:
        InvalidReferenceError: it has less.
    """
    there = available_bytes()
    if there is None:
        return
    there += private_bytes(oracle.process.pid) or 0  # it is there already
    total = wanted.judge + wanted.workers
    if total <= there:
        return
    named = ", ".join(f"{name}={value}" for name, value in sizes(prepared.source).items())
    raise InvalidReferenceError(
        f"workload {prepared.workload.name!r} needs about {_size(total)} of memory "
        f"({wanted.words}), and {_size(there)} are there",
        hint="shrink it with --set NAME=VALUE: half of a size that all its tensors have needs half"
        + (f" ({named})" if named else ""),
    )


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"
