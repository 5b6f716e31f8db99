"""Live modules with a fast path that is right, and counts its calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice
from kernelwright.live.module import FastPath, delivered, fast_view
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.source import WrittenTask
from tests.tasks.export.kit import built, written


class Pair(NamedTuple):
    """A live module, the view of it, and what counts."""

    original: Any
    view: Any
    path: FastPath
    form: CallForm
    file: Any

    def is_fast(self, *args: Any, **kwargs: Any) -> bool:
        """Call both, compare, and return whether the fast path ran."""
        self.file.CALLS.clear()
        before = self.path.fallbacks.total()
        own, wanted = self.view(*args, **kwargs), self.original(*args, **kwargs)
        torch.testing.assert_close(own, wanted, equal_nan=True)
        was_fast = bool(self.file.CALLS)
        assert was_fast != (self.path.fallbacks.total() > before)
        return was_fast


def scope_of(task: WrittenTask) -> Scope:
    """Return the scope of a task's own sizes, as the judge would find it."""
    model, inputs = built(task.source)
    named = model.named_parameters(remove_duplicate=False)
    state = {**dict(named), **dict(model.named_buffers())}
    tied: dict[int, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        tied.setdefault(id(tensor), []).append(name)
    parts = [path for path, _ in model.named_modules() if path]
    family = Family(
        constructor=[],
        names=[f"argument {at}" for at in range(len(inputs))],
        arguments=[
            {"tensor": [str(one.dtype)[6:], list(one.shape), list(range(one.dim()))]}
            for one in inputs
        ],
        modules=dict.fromkeys(parts, "torch.nn.modules.module.Module"),
        state={
            name: (str(one.dtype)[6:], list(one.shape), list(one.stride()))
            for name, one in state.items()
        },
        changed=[name for name, one in model.named_buffers()],
        tied=sorted(names for names in tied.values() if len(names) > 1),
    )
    return Scope(device="cpu", families=(family,))


def pair(
    original: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    folder: Path,
    change: Mapping[str, str] | None = None,
) -> Pair:
    """Return a module and its view, whose fast path is the exported graph, with a count of calls.

    Args:
        change: texts of the candidate, with what takes their place.
    """
    form = CallForm(original.forward, args, kwargs or {})
    task = written(original, args, kwargs)
    candidate = task.source.replace("class Model(", "CALLS = []\n\n\nclass ModelNew(")
    candidate = candidate.replace("        if not (", "        CALLS.append(1)\n        if not (")
    for old, new in (change or {}).items():
        assert old in candidate
        candidate = candidate.replace(old, new)
    path = folder / f"{type(original).__name__}_optimized.py"
    path.write_text(splice(task.source, candidate, scope_of(task), "A module."))
    file = delivered(path)
    fast = FastPath(original, form, task, file)
    return Pair(original, fast_view(original, fast), fast, form, file)
