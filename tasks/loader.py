"""Tasks from files, parsed by AST and never executed on this side.

A folder with `reference.py` and `task.toml` adds workloads to the file. What a file defines is
known to the kind of the task, in `tasks/kinds/`.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kernelwright import syntax
from kernelwright.errors import TaskError, UsageError, did_you_mean
from kernelwright.schema import Size, Task, ToleranceName, Workload
from kernelwright.tasks.constants import replace_constants, require_fitting
from kernelwright.tasks.kinds.registry import kind_in

LIBRARY = Path(__file__).parent / "library"
TOML_FIELDS = ("category", "description", "limits", "workloads")


def load_task(
    reference: str,
    overrides: Mapping[str, Size] | None = None,
    tolerance: ToleranceName = "default",
) -> Task:
    """Load a task by path or by library id.

    Args:
        reference: path of a KernelBench-format file, of a task folder, or an id (`softmax`,
            `library/softmax`).
        overrides: `--set` values; they win over those of the workloads.

    Raises:
        TaskError: the file is missing, not Python, or not in the format.
        UsageError: an override names no constant of the task.
    """
    path = find_task_file(reference)
    source = _read(path)
    kind = kind_in(source)
    tree = _parsed_task(source, path)
    kind.check(tree, path)
    _require_one_file(tree, path)
    more = _task_toml(path.parent / "task.toml") if path.name == "reference.py" else {}
    task = _build(
        task_id(path),
        source,
        {**more, "kind": kind.name, "overrides": dict(overrides or {}), "tolerance": tolerance},
    )
    require_fitting(source, task.overrides)
    for workload in task.workloads:
        replace_constants(source, task.overrides_for(workload))
    return task


def task_of(source: str, identity: str, tolerance: ToleranceName = "default") -> Task:
    """Return a task by the text of its file.

    Args:
        identity: its id, `suite/name`.

    Raises:
        TaskError: the text is not Python, or not in the format.
    """
    kind = kind_in(source)
    path = Path(f"{identity}.py")
    kind.check(_parsed_task(source, path), path)
    return _build(identity, source, {"kind": kind.name, "tolerance": tolerance})


def names_class(reference: str) -> bool:
    """Return whether a text names a class in a file: `module.py:Class`."""
    path, _, name = reference.rpartition(":")
    return path.endswith(".py") and name.isidentifier()


def find_task_file(reference: str) -> Path:
    """Return the reference file that a path or id means. Raises TaskError when there is none."""
    if names_class(reference):
        message = f"{reference!r} names a class, and this command takes a task file"
        raise TaskError(message, hint="`kernelwright optimize` takes it")
    path = Path(reference)
    try:
        is_folder = path.is_dir()
        if is_folder:
            path = path / "reference.py"
        if path.is_file():
            return path
    except OSError as error:
        raise TaskError(f"cannot read {reference[:200]!r}: {error.strerror}") from error
    shipped = LIBRARY / reference.removeprefix("library/") / "reference.py"
    if shipped.is_file():
        return shipped
    if is_folder:
        hint = f"for a folder of task files use `kernelwright bench {reference}`"
        raise TaskError(f"{reference!r} is a folder without reference.py", hint=hint)
    if path.suffix == ".py" or "/" in reference.removeprefix("library/"):
        raise TaskError(f"no task file {reference!r}", hint="`kernelwright tasks list` shows ids")
    raise TaskError(f"unknown task {reference!r}", hint=did_you_mean(reference, library_ids()))


def task_id(path: Path) -> str:
    """Return the id of the task in a file, which is not read."""
    folder = path.parent.resolve()
    if path.name == "reference.py":
        return f"{folder.parent.name}/{folder.name}"
    return f"{folder.name}/{path.stem}"


def library_ids() -> list[str]:
    """Return the ids of the tasks that come with the package."""
    return sorted(f"library/{file.parent.name}" for file in LIBRARY.glob("*/reference.py"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{str(path)!r} is not UTF-8 text") from error
    except OSError as error:
        raise TaskError(f"cannot read {str(path)!r}: {error.strerror}") from error


def parsed(source: str, path: Path) -> ast.Module:
    """Parse a user's file. Raises UsageError with line and message where it is not Python."""
    try:
        return syntax.parse(source)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise UsageError(f"{str(path)!r} is not valid Python: {where}{error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{str(path)!r} is not valid Python: {error}") from error


def _parsed_task(source: str, path: Path) -> ast.Module:
    try:
        return parsed(source, path)
    except UsageError as error:
        raise TaskError(error.message) from error


def _task_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{str(path)!r} is not valid TOML: {error}") from error
    for name in data:
        if name not in TOML_FIELDS:
            hint = did_you_mean(name, list(TOML_FIELDS))
            raise TaskError(f"{str(path)!r} has an unknown setting {name!r}", hint=hint)
    data.pop("description", None)
    return data


def _require_one_file(tree: ast.Module, path: Path) -> None:
    """Raise TaskError where a file imports others that lie beside it: a sandbox has it alone."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "" if node.level == 0 else "."]
        line = getattr(node, "lineno", 0)
        for name in names:
            if name == "." or _lies_beside(name.partition(".")[0], path):
                what = "its package" if name == "." else repr(name)
                raise TaskError(
                    f"{str(path)!r} imports {what} (line {line}), and a sandbox gets one "
                    "file alone",
                    hint=f"`kernelwright optimize {path}:Model` makes one file of all, with your "
                    "own Python",
                )


def _lies_beside(name: str, path: Path) -> bool:
    if not name or name in sys.stdlib_module_names:
        return False
    others = (path.parent / f"{name}.py", path.parent / name / "__init__.py")
    return any(other.is_file() for other in others)


def _build(identity: str, source: str, fields: dict[str, Any]) -> Task:
    try:
        task = Task(id=identity, source=source, **fields)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        message = f"task.toml of {identity!r}: {where}: {error.errors()[0]['msg']}"
        raise TaskError(message) from error
    if len({workload.name for workload in task.workloads}) < max(1, len(task.workloads)):
        raise TaskError(f"task.toml of {identity!r}: workloads need names of their own")
    return task


def effective_source(task: Task, workload: Workload) -> str:
    """Return the reference source with the workload's constants in place."""
    return replace_constants(task.source, task.overrides_for(workload))
