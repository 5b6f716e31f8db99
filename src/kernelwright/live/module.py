"""The module that is handed over: a view of the user's own, with a fast path in front."""

from __future__ import annotations

import collections
import functools
import importlib.util
import inspect
import sys
import threading
import types
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kernelwright.live.watch import Watch
from kernelwright.schema import digest
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.source import WrittenTask

OUTSIDE = object()
"""The mark that the original's forward has to run."""
A_COPY = "a copy of the module is called, whose parameters are others"
# From `warn` over `count`, `result`, `forward` and the two of nn.Module's to the caller.
CALLER = 6


class FastPath:
    """The fast path of a live module, by a delivered file.

    Args:
        module: the module that was exported.
        form: the form of the exported call.
        written: the task that was written from it.
        file: the delivered file, as a Python module.
    """

    def __init__(self, module: nn.Module, form: CallForm, written: WrittenTask, file: Any) -> None:
        self.fallbacks: collections.Counter[str] = collections.Counter()
        """Calls that ran the original's forward, by reason."""
        self._file = file
        self._state = vars(module)
        self._form = form
        self._watch = Watch(module)
        self._results = written.results
        self._is_plain = written.results.spec.is_leaf()
        self._said = threading.local()
        self._guarded = written.sharing(self._guarded_class(), module)

    @property
    def problem(self) -> str | None:
        """The reason why the file has no fast path here; None where it has one."""
        found = self._file.IMPLEMENTATION
        return f"{type(found).__name__}: {found}" if isinstance(found, Exception) else None

    def result(self, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of a call inside the scope, else `OUTSIDE`."""
        if torch.compiler.is_dynamo_compiling():
            return OUTSIDE
        reason = self._watch.changed() if vars(module) is self._state else A_COPY
        tensors = reason or self._form.tensors(args, kwargs)
        if isinstance(tensors, str):
            return self._count(tensors, args)
        self._said.reason = None
        result = self._guarded.forward(*tensors)
        if result is OUTSIDE:
            # Where torch traces or transforms there is no reason: that is not counted.
            said: str | None = self._said.reason
            return OUTSIDE if said is None else self._count(said, args)
        return result if self._is_plain else self._results.nested(result)

    def _guarded_class(self) -> type[nn.Module]:
        """Return the file's module with a mark in the place of its way out."""

        def forward(_self: nn.Module, *_tensors: torch.Tensor) -> object:
            return OUTSIDE

        def keep_reason(_self: nn.Module, reason: str, _args: Sequence[Any]) -> None:
            self._said.reason = reason

        # The guard names arguments after it.
        vars(forward)["__signature__"] = inspect.signature(self._file.Model.forward)
        way_out = type("WayOut", (), {"forward": forward})
        bases = (self._file.Guarded, way_out, self._file.Model)
        own = {"implementation": self._file.IMPLEMENTATION, "_guard_count": keep_reason}
        kind: type[nn.Module] = type("ModelNew", bases, {"scope": self._file.SCOPE, **own})
        return kind

    def _count(self, reason: str, args: Sequence[Any]) -> object:
        self.fallbacks[reason] += 1
        if self.fallbacks[reason] == 1:
            called = ", ".join(map(self._file.guard_described, args))
            text = f"the original module runs: {reason}; called with ({called})"
            warnings.warn(text, RuntimeWarning, stacklevel=CALLER)
        return OUTSIDE


def fast_view(module: nn.Module, path: FastPath) -> nn.Module:
    """Return a module that is the given one, but for the fast path in front of its forward.

    A copy of it, or what pickle makes of it, is an object of the original class.
    """
    kind = type(module)

    @functools.wraps(kind.forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        result = path.result(self, args, kwargs)
        return kind.forward(self, *args, **kwargs) if result is OUTSIDE else result

    def reduce(self: nn.Module, protocol: Any) -> Any:
        how: Any = _object_of(kind, vars(self)).__reduce_ex__(protocol)
        # Its own function for new objects pickle allows for the object's class alone.
        return object.__new__, *how[1:]

    def body(names: dict[str, Any]) -> None:
        names.update(forward=forward, __reduce_ex__=reduce, __module__=kind.__module__)
        names["__doc__"] = kind.__doc__

    return _object_of(types.new_class(f"Fast{kind.__name__}", (kind,), None, body), vars(module))


def delivered(path: Path) -> Any:
    """Import a delivered file, which compiles its fast path where it has to be compiled."""
    name = f"kernelwright_{path.stem}_{digest(path.read_text(encoding='utf-8'))[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    file = importlib.util.module_from_spec(spec)
    sys.modules[name] = file
    spec.loader.exec_module(file)
    return file


def _object_of(kind: type[nn.Module], state: dict[str, Any]) -> nn.Module:
    found = kind.__new__(kind)
    object.__setattr__(found, "__dict__", state)
    return found
