"""Atomic file writes: a reader sees the old file or the new one, never a part of it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernelwright.errors import PrerequisiteError


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by a file with `text`; make its folder where missing.

    Raises:
        PrerequisiteError: the folder cannot be written, or the disk is full.
    """
    write_all_atomically(path.parent, {path.name: text})


def write_all_atomically(folder: Path, files: dict[str, str]) -> None:
    """Write all `files` (name to text) beside their targets first, then replace them in order.

    Raises:
        PrerequisiteError: as for `write_atomically`. Where writing fails, no target is touched.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as staging:
            for name, text in files.items():
                _write_and_sync(Path(staging) / name, text)
            for name in files:
                os.replace(Path(staging) / name, folder / name)


def require_writable(folder: Path) -> None:
    """Raise PrerequisiteError where results could not be written, before anything is spent.

    A folder that is missing is not made: the one that it would be made in is tried.
    """
    there = folder.absolute()
    try:
        while not there.exists():
            there = there.parent
        probe = there / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write to {str(folder)!r}: {error.strerror}", hint="choose another with --out"
        ) from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise an `OSError` of a write to `path` as a PrerequisiteError with a hint."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "free some disk space" if full else "choose a folder that can be written"
        raise PrerequisiteError(f"cannot write to {path}: {error.strerror}", hint) from error


def _write_and_sync(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
