"""The true contents of a worker's memory, read without any of the judge's code."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kernelwright.verifier.worker.tensor_tree import TensorTree
from tests.fuzz.recordings import Session
from tests.fuzz.sessions import Taken, Watched, verdict

Array = npt.NDArray[Any]
# Values that differ by less are right by any rule of the judge; decoys differ by more.
NEAR = {"bfloat16": 2.0**-5}
NEAR_OTHERS = 2.0**-11


def is_right(session: Session, client: Watched) -> bool:
    """Whether all that the judge took for right is what an honest worker computed."""
    if session.play is not verdict:
        return True  # a reference's values are what others are measured by
    if len(client.taken) != len(session.taken):
        return False
    pairs = zip(client.taken, session.taken, strict=True)
    states = zip(client.told, session.told, strict=False)
    return all(_is_same(own, true, session.readable) for own, true in pairs) and all(
        _has_state(own, true) for own, true in states
    )


def _is_same(own: Taken, true: Taken, readable: bool) -> bool:
    if own.values.tree != true.values.tree:
        return False
    held = _held(own) if readable else [array(tensor) for tensor in own.values.tensors]
    if held is None or len(held) != len(true.values.tensors):
        return False
    return all(map(_near, held, true.values.tensors))


def _has_state(own: TensorTree, true: TensorTree) -> bool:
    named, wanted = own.unpacked(), true.unpacked()
    return all(name in named and _near(array(named[name]), wanted[name]) for name in wanted)


def array(tensor: torch.Tensor) -> Array:
    """Return a tensor's values, those of bfloat16 as float32."""
    plain = tensor.resolve_conj().resolve_neg()
    return np.asarray((plain.float() if plain.dtype == torch.bfloat16 else plain).numpy())


def _near(held: Array, true: torch.Tensor) -> bool:
    wanted = array(true)
    if held.shape != wanted.shape or held.dtype != wanted.dtype:
        return False
    if wanted.dtype.kind in "iub":
        return bool((held == wanted).all())
    near = NEAR.get(str(true.dtype).removeprefix("torch."), NEAR_OTHERS)
    scale = float(np.sqrt(np.mean(np.abs(wanted) ** 2)))
    return bool(np.allclose(held, wanted, rtol=near, atol=near * scale))


def _held(own: Taken) -> list[Array] | None:
    """Return what lies where the worker said; None for a result that it says lies elsewhere."""
    if any(entry["device"] != "cpu" for entry in own.ran.entries):
        return None
    return list(map(read, own.ran.entries, own.ran.addresses[own.call]))


def read(entry: dict[str, Any], address: int) -> Array:
    """Return the array at an address of this process; the judge has read it before."""
    half = entry["dtype"] == "bfloat16"
    dtype = np.dtype("uint16" if half else entry["dtype"])
    steps = [stride * dtype.itemsize for stride in entry["strides"]]
    pairs = list(zip(steps, entry["shape"], strict=True))
    span = dtype.itemsize + sum(step * (size - 1) for step, size in pairs)
    if 0 in entry["shape"]:
        return np.empty(entry["shape"], dtype)
    held = ctypes.string_at(address, span)
    values: Array = np.ndarray(entry["shape"], dtype, held, 0, steps)
    values = (values.astype(np.uint32) << 16).view(np.float32) if half else values
    values = values.conj() if entry["conj"] else values
    return -values if entry["neg"] else values
