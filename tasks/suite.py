"""The task files of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from kernelwright import syntax
from kernelwright.errors import TaskError, UsageError
from kernelwright.schema import Size, Task, ToleranceName
from kernelwright.tasks.constants import constants
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.tasks.kinds.registry import KINDS
from kernelwright.tasks.loader import load_task, task_id


def suite_files(folder: Path) -> list[Path]:
    """Return every task file in a folder: task folders, and KernelBench-format files at any depth.

    Raises:
        TaskError: the folder is missing, or has no task.
    """
    if not folder.is_dir():
        hint = "for one file use `kernelwright optimize`" if folder.is_file() else None
        raise TaskError(f"no folder {str(folder)!r}", hint=hint)
    files = [path for path in sorted(folder.rglob("*.py")) if _may_be_task(path)]
    if not files:
        raise TaskError(f"no task in {str(folder)!r}", hint=MODULE.hint)
    return sorted(files, key=_natural)


def _natural(path: Path) -> tuple[str, int, str]:
    number = path.stem.split("_")[0]
    return str(path.parent), int(number) if number.isdecimal() else 0, path.name


def _may_be_task(path: Path) -> bool:
    text = path.read_text(errors="replace")
    return any(KINDS.get(name).may_be(text) for name in KINDS)


def chosen_files(files: Sequence[Path], part: str | None) -> list[Path]:
    """Return the files with `part` in their task's id; all of them where it is None.

    No file is read, so a bad one stops no other.

    Raises:
        UsageError: no file is chosen, or two have the same id.
    """
    ids = {path: task_id(path) for path in files}
    chosen = [path for path, id_ in ids.items() if part is None or part in id_]
    if not chosen:
        first = ids[files[0]]
        raise UsageError(f"no task id contains {part!r}", f"{len(ids)} ids, the first is {first!r}")
    twice = [id_ for id_, count in Counter(ids[path] for path in chosen).items() if count > 1]
    if twice:
        raise UsageError(
            f"two task files have the id {twice[0]!r}", hint="choose one folder, or use --filter"
        )
    return chosen


def load_sized(path: Path, values: Mapping[str, Size], tolerance: ToleranceName) -> Task:
    """Load a task with the values that it has constants for. Raises as `load_task` does."""
    plain = load_task(str(path), tolerance=tolerance)
    names = {constant.name for constant in constants(syntax.parse(plain.source))}
    own = {name: value for name, value in values.items() if name in names}
    return load_task(str(path), own, tolerance) if own else plain
