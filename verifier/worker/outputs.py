"""The reply to `run`: where results lie in a worker, and how they are read from there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from kernelwright.sandbox.memory import UnreadableError, read_memory
from kernelwright.schema import Status
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.frames import DTYPES, MAX_DIMENSIONS, is_countable
from kernelwright.verifier.worker.input_buffers import raw_view
from kernelwright.verifier.worker.tensor_tree import TensorTree

MAX_NANOSECONDS = 2**63
MAX_DEVICE_NAME = 20
MAX_ERROR = 300
# The imaginary part of a conjugate is a tensor of a real type with the negative bit set.
NEGATED = (torch.float16, torch.float32, torch.float64)
# Most bytes that are read in one piece, in times of the dense size; a slice of something larger is
# read in pieces, at most so many.
MAX_SPREAD = 64
MAX_PIECES = 2**16
# Enough for memory that is there: one gigabyte takes half a second.
READ_TIMEOUT_S = 20.0
ENTRY = {"dtype", "shape", "strides", "device", "conj", "neg"}


class RunReply(NamedTuple):
    """A worker's reply to `run`, checked for its form."""

    seconds: float
    """Seconds by the judge's clock, until every thread of the worker stood still."""
    worker_seconds: float
    tree: Any
    entries: list[dict[str, Any]]
    """Descriptions of the tensors of one result; see ENTRY."""
    addresses: list[list[int]]
    """Address of each tensor, by call."""


class UseReply(NamedTuple):
    """A worker's reply to `use`, checked for its form."""

    ran: RunReply
    """Where its results lie."""
    error: str | None
    """The words of what it raised; then it has no results."""
    died: bool
    """A process that the use started died or hung."""
    fell_back: int | None
    """Calls that ran the original forward instead; None for a class without guards."""
    streams: list[int]
    """For each call a checksum of the generator's state; 0 where no random number was drawn."""


def checked_use(reply: dict[str, Any], ran: RunReply) -> UseReply:
    """Check the reply to a use. Raises WorkerFault if it is malformed."""
    error, died, count = reply.get("error"), reply.get("died"), reply.get("fell_back")
    streams = reply.get("streams")
    is_text = error is None or (isinstance(error, str) and len(error) <= MAX_ERROR)
    if not is_text or type(died) is not bool or not (count is None or type(count) is int):
        raise nonsense("malformed facts about a use")
    if not isinstance(streams, list) or not all(type(entry) is int for entry in streams):
        raise nonsense("malformed facts about a use")
    return UseReply(ran, error, died, count, streams)


def checked_run(reply: dict[str, Any], calls: int, seconds: float) -> RunReply:
    """Check the reply to a run of `calls` calls that took `seconds`.

    Raises:
        WorkerFault: the reply is malformed.
    """
    nanoseconds = reply.get("ns")
    if type(nanoseconds) is not int or not 0 <= nanoseconds < MAX_NANOSECONDS:
        raise nonsense("no time of the run")
    entries, rows = reply.get("entries"), reply.get("at")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise nonsense("a malformed description of a result")
    if not isinstance(rows, list) or len(rows) != calls:
        raise nonsense("no address for every call")
    if not all(_is_row(row, len(entries)) for row in rows):
        raise nonsense("malformed addresses")
    TensorTree(reply.get("value"), [torch.empty(0)] * len(entries)).unpacked()  # it must be a nest
    return RunReply(seconds, nanoseconds / 1e9, reply.get("value"), entries, rows)


def _is_row(row: object, tensors: int) -> bool:
    if not isinstance(row, list) or len(row) != tensors:
        return False
    return all(type(address) is int and 0 <= address < 2**63 for address in row)


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != ENTRY:
        return False
    sizes, strides = entry["shape"], entry["strides"]
    lists = isinstance(sizes, list) and isinstance(strides, list)
    if not lists or len(sizes) != len(strides) or len(sizes) > MAX_DIMENSIONS:
        return False
    numbers = all(type(n) is int and 0 <= n < 2**48 for n in (*sizes, *strides))
    named = isinstance(entry["dtype"], str) and isinstance(entry["device"], str)
    if not numbers or not named or not all(type(entry[k]) is bool for k in ("conj", "neg")):
        return False
    dtype = DTYPES.get(entry["dtype"])
    if dtype is None or not is_countable(sizes) or len(entry["device"]) > MAX_DEVICE_NAME:
        return False
    return not entry["neg"] or dtype.is_complex or dtype in NEGATED


def overlaps_itself(entry: dict[str, Any]) -> bool:
    """Return whether two elements of a tensor lie at one address, as after `expand`."""
    reach = 0
    for stride, size in sorted(zip(entry["strides"], entry["shape"], strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1) if size > 1 else 0
    return False


def same_order(entry: dict[str, Any], strides: Sequence[int]) -> bool:
    """Return whether an entry has these strides; strides of dimensions of size 1 do not count."""
    triples = zip(entry["shape"], entry["strides"], strides, strict=True)
    return 0 in entry["shape"] or all(own == other for size, own, other in triples if size > 1)


def span_bytes(entry: dict[str, Any]) -> int:
    """Return the number of bytes from the first element to the end of the last one."""
    dtype: torch.dtype = getattr(torch, entry["dtype"])
    if 0 in entry["shape"]:
        return 0
    return _span(entry) * dtype.itemsize


def _span(entry: dict[str, Any]) -> int:
    pairs = zip(entry["strides"], entry["shape"], strict=True)
    return int(1 + sum(stride * (size - 1) for stride, size in pairs))


def read_result(pid: int, ran: RunReply, call: int) -> TensorTree | None:
    """Read one result from a stopped worker's memory; None if this system does not allow it.

    A result on another device than the CPU is None too.

    Raises:
        WorkerFault: the result does not lie in that memory.
    """
    tensors = []
    for index, (entry, address) in enumerate(zip(ran.entries, ran.addresses[call], strict=True)):
        if entry["device"] != "cpu":
            return None
        tensor = _read(pid, entry, address, index)
        if tensor is None:
            return None
        tensors.append(tensor)
    return TensorTree(ran.tree, tensors)


def _read(pid: int, entry: dict[str, Any], address: int, index: int) -> torch.Tensor | None:
    dtype: torch.dtype = getattr(torch, entry["dtype"])
    if 0 in entry["shape"]:
        return torch.empty(entry["shape"], dtype=dtype)
    found = _pieces(entry)
    if found is None:
        raise nonsense(f"an output {index} whose elements lie too far apart")
    pieces, span, strides = found
    try:
        raw = torch.empty(len(pieces) * span * dtype.itemsize, dtype=torch.uint8)
    except RuntimeError as error:
        message = f"there is no memory to read output {index} into"
        raise WorkerFault(Status.OUT_OF_MEMORY, message) from error
    addresses = [address + piece * dtype.itemsize for piece in pieces]
    try:
        if not read_memory(pid, addresses, raw_view(raw), READ_TIMEOUT_S):
            return None
    except TimeoutError as error:
        message = f"output {index} lies in memory that does not come when it is read"
        raise WorkerFault(Status.REWARD_HACK, message) from error
    except UnreadableError as error:
        message = f"output {index} does not lie in memory that can be read"
        raise WorkerFault(Status.RUNTIME_ERROR, message) from error
    flat = raw.view(dtype)
    flat = flat.conj().resolve_conj() if entry["conj"] else flat
    flat = flat._neg_view().resolve_neg() if entry["neg"] else flat
    return flat.as_strided(entry["shape"], strides)


def _pieces(entry: dict[str, Any]) -> tuple[list[int], int, list[int]] | None:
    """Return how a result is read: one piece for each index of the dimensions that lie far apart.

    Returns:
        Where the pieces begin and how much each spans, in elements; and the strides of the result
        when the pieces lie one after the other. None where there are too many pieces.
    """
    shape, strides = entry["shape"], entry["strides"]
    inner, outer, starts, span = list(range(len(shape))), [], [0], _span(entry)
    while span > MAX_SPREAD * math.prod(shape[d] for d in inner):
        widest = max(inner, key=lambda d: strides[d] * (shape[d] - 1))
        if len(starts) * shape[widest] > MAX_PIECES:
            return None
        inner.remove(widest)
        outer.append(widest)
        span -= strides[widest] * (shape[widest] - 1)
        steps = range(shape[widest])
        starts = [at + step * strides[widest] for at in starts for step in steps]
    new, size = list(strides), span
    for dimension in reversed(outer):
        new[dimension], size = size, size * shape[dimension]
    return starts, span, new


def overlapping(ran: RunReply) -> bool:
    """Return whether the results of two calls overlap in memory."""
    spans = [span_bytes(entry) for entry in ran.entries]
    regions = sorted(
        (address, address + span)
        for row in ran.addresses
        for address, span in zip(row, spans, strict=True)
        if span
    )
    return any(after[0] < before[1] for before, after in zip(regions, regions[1:], strict=False))
