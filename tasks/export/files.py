"""Tasks from a class in a Python file: `package/module.py:Class`, with its inputs beside it.

The file is imported here, as the user's own program imports it; a task file is never. What it
imports in turn is found as in that program: a file of a package from the folder above the package,
any other from its own folder.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from kernelwright.errors import TaskError, UsageError, did_you_mean
from kernelwright.schema import Task, ToleranceName
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import checked_task
from kernelwright.tasks.export.program import require_exportable, words_of
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.tasks.loader import task_of

KWARGS = "get_kwargs"
"""Function of an inputs file that returns the keyword arguments of forward."""
INPUTS_HINT = (
    f"--inputs takes a Python file with {MODULE.inputs}(), and {MODULE.constructor_arguments}() "
    f"and {KWARGS}() if need be; or the arguments as saved by torch.save"
)


class Call(NamedTuple):
    """The arguments of a call of a module, and of its constructor."""

    init: Sequence[Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def class_module(
    reference: str, inputs: Path | None
) -> tuple[nn.Module, tuple[Any, ...], Mapping[str, Any]]:
    """Return an instance of a class in a file, and the arguments of its call.

    Args:
        reference: `path.py:Name`, the name of a class or of a module that is ready.
        inputs: a file that INPUTS_HINT describes; None: the class's own file has the functions.

    Raises:
        UsageError: a file or name is missing, the file fails, or the constructor does.
    """
    path, _, name = reference.rpartition(":")
    file = _imported(Path(path))
    made = getattr(file, name, None)
    if made is None:
        known = [n for n, one in vars(file).items() if _is_module(one)]
        raise UsageError(f"{path} defines no {name}", hint=did_you_mean(name, known))
    call = _call(inputs, file, path)
    if isinstance(made, type) and issubclass(made, nn.Module):
        try:
            made = made(*call.init)
        except Exception as error:  # a constructor may raise anything
            hint = f"its arguments come from {MODULE.constructor_arguments}(); {INPUTS_HINT}"
            raise UsageError(f"{name}(...) fails: {words_of(error)}", hint=hint) from error
    return require_exportable(made), tuple(call.args), call.kwargs


def class_task(reference: str, inputs: Path | None, tolerance: ToleranceName) -> Task:
    """Return the task of a class in a file; see `class_module`.

    Raises:
        UsageError: see `class_module`; or the module can't be exported.
    """
    module, args, kwargs = class_module(reference, inputs)
    form = CallForm(module.forward, args, kwargs)
    written = checked_task(module, form)
    path, _, name = reference.rpartition(":")
    folder = Path(path).resolve().parent.name
    return task_of(written.source, f"{folder}/{name}", tolerance)


def _is_module(value: object) -> bool:
    is_class = isinstance(value, type) and issubclass(value, nn.Module)
    return is_class or isinstance(value, nn.Module)


def _imported(path: Path) -> Any:
    """Import a file, as a part of its package where it lies in one."""
    if not path.is_file():
        raise TaskError(f"no file {str(path)!r}")
    path = path.resolve()
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    dotted = ".".join(names).removesuffix(".__init__")
    try:
        with _importable(folder):
            found = importlib.import_module(dotted)
    except Exception as error:  # a file may raise anything
        raise UsageError(f"{path} can't be imported: {words_of(error)}") from error
    if Path(str(found.__file__)).resolve() != path:
        raise UsageError(
            f"{path} can't be imported as {dotted!r}: {found.__file__} has that name",
            hint="rename the file",
        )
    return found


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _call(inputs: Path | None, file: Any, path: str) -> Call:
    if inputs is not None and inputs.suffix != ".py":
        args, kwargs = saved_arguments(inputs)
        return Call([], args, kwargs)
    source = file if inputs is None else _imported(inputs)
    where = path if inputs is None else str(inputs)
    if not hasattr(source, MODULE.inputs):
        raise UsageError(f"{where} defines no {MODULE.inputs}()", hint=INPUTS_HINT)
    found = []
    for name, default in ((MODULE.constructor_arguments, []), (MODULE.inputs, []), (KWARGS, {})):
        try:
            found.append(getattr(source, name, lambda value=default: value)())
        except Exception as error:  # a user's function may raise anything
            raise UsageError(f"{name}() of {where} fails: {words_of(error)}") from error
    init, args, kwargs = found
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
        raise UsageError(f"{MODULE.inputs}() of {where} returns no list", hint=INPUTS_HINT)
    return Call(init, args, kwargs)


def saved_arguments(path: Path) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments in a file of torch.save: a tensor, a list or tuple, or a dict by name.

    Raises:
        UsageError: there is no such file, or it holds something else than tensors and containers.
    """
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise UsageError(f"cannot read inputs {str(path)!r}: {error.strerror}") from error
    except Exception as error:  # torch and pickle raise many kinds
        raise UsageError(f"{str(path)!r} holds no saved tensors", hint=INPUTS_HINT) from error
    if isinstance(saved, dict):
        return (), saved
    if isinstance(saved, (list, tuple)):
        return tuple(saved), {}
    return (saved,), {}
