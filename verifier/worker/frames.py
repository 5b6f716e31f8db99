"""The form of a worker's replies: headers, and descriptions of tensors."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import torch

from kernelwright.schema import Status
from kernelwright.verifier.worker.faults import WorkerFault, nonsense

MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 32
# Keys are the names that `describe` writes. Plain tensors of quantized types can't be made.
DTYPES = {
    str(value).removeprefix("torch."): value
    for name, value in vars(torch).items()
    if isinstance(value, torch.dtype) and not name.startswith("q")
}


class Spec(NamedTuple):
    """The dtype and shape of a tensor that may be received."""

    dtype: torch.dtype
    shape: tuple[int, ...]


def parsed_header(text: bytearray, operation: str) -> dict[str, Any]:
    """Parse a reply's header. Raises WorkerFault if malformed or of another operation."""
    try:
        header = json.loads(text.decode())
        if b"\\u" in text:  # half of a surrogate pair could be neither stored nor printed
            json.dumps(header, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise nonsense("a header that is not JSON") from error
    if not isinstance(header, dict) or header.get("op") != operation:
        raise nonsense("an answer to another operation")
    return header


def checked_descriptions(entries: object, body_bytes: int) -> list[dict[str, Any]]:
    """Check a header's list of tensors. Raises WorkerFault if it does not match the body's size."""
    if not isinstance(entries, list):
        raise nonsense("no list of tensors")
    total = sum(_tensor_bytes(entry) for entry in entries)
    if total != body_bytes:
        raise nonsense(f"{body_bytes} bytes where its header says {total}")
    return entries


def _tensor_bytes(entry: object) -> int:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "order"}:
        raise nonsense("a malformed tensor description")
    shape, order = entry["shape"], entry["order"]
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    sizes_ok = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if dtype is None or not sizes_ok or len(shape) > MAX_DIMENSIONS or not is_countable(shape):
        raise nonsense("a malformed tensor description")
    whole = isinstance(order, list) and all(type(dim) is int for dim in order)
    if not whole or sorted(order) != list(range(len(shape))):
        raise nonsense("a malformed tensor layout")
    count = 1
    for size in shape:
        count *= size
    return count * dtype.itemsize


def is_countable(shape: list[int]) -> bool:
    """Return whether torch can count a tensor's bytes; for strides a size of zero counts as one."""
    return math.prod(max(size, 1) for size in shape) < 2**56


def check_expected(descriptions: list[dict[str, Any]], expect: list[Spec]) -> None:
    """Raise WorkerFault if the described tensors differ from the expected in shape or dtype."""
    if descriptions and not expect:
        raise nonsense("tensors where none belong")
    if len(descriptions) != len(expect):
        message = f"{len(descriptions)} tensors returned, {len(expect)} expected"
        raise WorkerFault(Status.INCORRECT_SHAPE, message)
    for index, (entry, spec) in enumerate(zip(descriptions, expect, strict=True)):
        if tuple(entry["shape"]) != spec.shape:
            message = f"output {index} has shape {entry['shape']}, expected {list(spec.shape)}"
            raise WorkerFault(Status.INCORRECT_SHAPE, message)
        if getattr(torch, entry["dtype"]) != spec.dtype:
            expected = str(spec.dtype).removeprefix("torch.")
            message = f"output {index} is {entry['dtype']}, expected {expected}"
            raise WorkerFault(Status.INCORRECT_DTYPE, message)


def checked_count(value: object, least: int) -> int:
    """Return a number of a header as it is. Raises WorkerFault if it is none of `least` or more."""
    if type(value) is not int or not least <= value < 2**63:
        raise nonsense("no number where one belongs")
    return value


def checked_strings(value: object) -> list[str]:
    """Return a list of texts of a header as it is. Raises WorkerFault if it is something else."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise nonsense("no list of names")
    return value
