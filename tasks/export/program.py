"""torch.export of a live module, and sentences on what it can't take.

A module is exported in the mode that it is in, with every size of every tensor free
(`Dim.AUTO`): torch fixes those that the module fixes. Where a free size is what fails, all are
fixed. Hooks are refused, as the graph would hold what they did once.
"""

from __future__ import annotations

import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.utils import _pytree as pytree

from kernelwright.errors import UsageError
from kernelwright.tasks.export.call import CallForm

A_PART = "optimize a part of it: kernelwright.optimize(module.part, args)"
DATA_DEPENDENT = ("GuardOnDataDependentSymNode", "DataDependentOutputException")
TORCH = Path(torch.__file__).parent
# Of torch, but its code is what the user's calls reach first.
OURS = Path(__file__).parents[1]


def require_exportable(module: object) -> nn.Module:
    """Return the module.

    Raises:
        UsageError: it is none, or its state can't be written down; the sentence names it.
    """
    if isinstance(module, type) and issubclass(module, nn.Module):
        name = module.__name__
        raise UsageError(
            f"{name} is a class, not a module", hint=f"give an instance, as {name}(...)"
        )
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"{module!r:.60} is not a torch.nn.Module",
            hint="put a function into the forward of a module",
        )
    for name, tensor in state(module).items():
        _require_plain_tensor(name, tensor)
    for path, part in module.named_modules():
        _require_plain_part(type(module).__name__, path, part)
    return module


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return all parameters and buffers; one that has several names stands under each."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def require_one_device(module: nn.Module, form: CallForm, kind: str) -> None:
    """Raise UsageError unless parameters and arguments are on one device, of the wanted kind.

    Args:
        kind: `cpu` or `cuda`.
    """
    devices = {str(tensor.device) for tensor in (*state(module).values(), *form.example)}
    if len(devices) > 1:
        raise UsageError(
            f"parameters and arguments are on several devices: {', '.join(sorted(devices))}",
            hint="move all of them to one: module.to(device), x.to(device)",
        )
    (device,) = devices
    if device == "meta":
        raise UsageError(
            "the module is on the meta device: it has no values",
            hint="give it some: module.to_empty(device='cpu'), then load its weights",
        )
    if torch.device(device).type != kind:
        raise UsageError(
            f"the module is on {device}, and this run optimizes for {kind}",
            hint=f"module.to({kind!r}), or another target=; timing is validated on CPUs only",
        )


def require_callable(module: nn.Module, form: CallForm) -> None:
    """Call a module twice; its state, the arguments and torch's random numbers are as before.

    Raises:
        UsageError: it raises, or its forward changes attributes, which no graph does.
    """
    name = type(module).__name__
    with torch.no_grad(), unchanged(module):
        args, kwargs = form.copied()
        try:
            module(*args, **kwargs)  # what is made once, at the first call, is made now
            before = [dict(vars(part)) for part in module.modules()]
            module(*args, **kwargs)
        except Exception as error:  # a module may raise anything
            message = f"{name} fails on these arguments: {_place(error)}{words_of(error)}"
            raise UsageError(message) from error
        changed = _changed_attributes(module, before)
    if changed:
        raise UsageError(
            f"forward of {name} changes the attribute {changed[0]!r}, which a graph does not",
            hint="a buffer may change in place: register_buffer(), then .add_() or .copy_()",
        )


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Give buffers and random numbers their values back at the end."""
    held = [
        (part._buffers, name, buffer, buffer.clone())
        for part in module.modules()
        for name, buffer in part._buffers.items()
        if buffer is not None
    ]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for holder, name, buffer, values in held:
            holder[name] = buffer
            if not torch.equal(buffer, values):
                with torch.no_grad():
                    buffer.copy_(values)


def exported(module: nn.Module, form: CallForm) -> ExportedProgram:
    """Return the operators of one call, as torch.export finds them without gradients.

    Raises:
        UsageError: it can't be exported; the sentence names the line, the hint what to do.
    """
    try:
        return _exported(module, form, Dim.AUTO)
    except Exception:  # a module, and torch.export itself, may raise anything
        try:
            return _exported(module, form, None)
        except Exception as error:
            raise explained(type(module).__name__, error) from error


def _exported(module: nn.Module, form: CallForm, size: Any) -> ExportedProgram:
    def sizes(leaf: Any) -> Any:
        is_free = size is not None and isinstance(leaf, torch.Tensor)
        return dict.fromkeys(range(leaf.dim()), size) if is_free else None

    shapes = {name: pytree.tree_map(sizes, value) for name, value in form.arguments.items()}
    with torch.no_grad(), _quiet():
        return torch.export.export(
            module, form.args, form.kwargs, dynamic_shapes=shapes, strict=False
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch prints of a graph that it can't finish; the sentence says it."""
    log = logging.getLogger("torch")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def explained(name: str, error: Exception) -> UsageError:
    """Return a failed export as a sentence with the line of the module that is to blame."""
    place = _place(error)
    if any(type(cause).__name__ in DATA_DEPENDENT for cause in _causes(error)):
        message = f"torch.export can't take {name}: {place}it decides by the values of a tensor"
        return UsageError(message, hint=f"torch.where keeps both sides in the graph; or {A_PART}")
    return UsageError(f"torch.export can't take {name}: {place}{words_of(error)}", hint=A_PART)


def words_of(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    kind = type(error).__name__
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{kind}: {first}" if first else kind


def _changed_attributes(module: nn.Module, before: list[dict[str, Any]]) -> list[str]:
    return [
        name
        for own, part in zip(before, module.modules(), strict=True)
        for name in own.keys() | vars(part).keys()
        if own.get(name) is not vars(part).get(name)
    ]


def _place(error: BaseException) -> str:
    """Return the last line outside of torch that led to an error, as `file.py, line 3 (code): `."""
    frames = [frame for cause in _causes(error) for frame in _foreign_frames(cause)]
    if not frames:
        return ""
    last = frames[-1]
    return f"{Path(last.filename).name}, line {last.lineno} (`{last.line}`): "


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it, the first one last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _foreign_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame, Path(frame.filename)) for frame in frames]
    known = (TORCH, OURS)
    return [f for f, place in places if not any(place.is_relative_to(root) for root in known)]


def _require_plain_part(name: str, path: str, part: nn.Module) -> None:
    where = path or name
    if isinstance(part, torch.jit.ScriptModule):
        raise UsageError(f"{where} is a script of torch.jit", hint="give the module it was made of")
    if hasattr(part, "_orig_mod"):
        raise UsageError(
            f"{where} was compiled by torch.compile", hint="give the module itself: ._orig_mod"
        )
    if part._forward_hooks or part._forward_pre_hooks:
        raise UsageError(
            f"{where} has forward hooks, whose work a graph would hold as it was once",
            hint="remove them first (handle.remove()); write what they do into forward",
        )
    if "forward" in vars(part):
        raise UsageError(
            f"forward of {where} was replaced on the instance",
            hint="delete it (del module.forward), or optimize a module without it",
        )


def _require_plain_tensor(name: str, tensor: torch.Tensor) -> None:
    if type(tensor) not in (torch.Tensor, nn.Parameter):
        kind = type(tensor).__name__
        hint = "call the module once, so that its sizes are known"
        raise UsageError(
            f"{name} is a {kind}, not a plain tensor",
            hint=hint if kind.startswith("Uninitialized") else A_PART,
        )
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise UsageError(f"{name} is sparse or quantized, which no task file holds", hint=A_PART)
