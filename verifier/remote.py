"""A worker as the judge sees it: operations on the instances it holds, values in and out."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerProcess
from kernelwright.schema import Status, digest
from kernelwright.verifier.channel import Channel, Spec, WorkerFault, nonsense
from kernelwright.verifier.worker import LAST, Tensors, pack, unpack

MAX_NANOSECONDS = 2**63


class Values(NamedTuple):
    """A nest of Python values and its tensors, as sent or received."""

    tree: Any
    tensors: Tensors

    def unpacked(self) -> Any:
        """The nest itself. Raises WorkerFault when a worker sent a malformed one."""
        try:
            return unpack(self.tree, self.tensors)
        except (ValueError, RecursionError) as error:
            raise nonsense("a malformed value") from error

    def mapped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Values:
        """The same nest with every tensor replaced."""
        return Values(self.tree, [function(tensor) for tensor in self.tensors])

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)


class RemoteModule:
    """One worker, as operations on the instances it holds (one per workload, by `key`)."""

    def __init__(self, process: WorkerProcess, memory_bytes: int, timeout_s: float) -> None:
        self.process = process
        self._channel = Channel(process, max_body_bytes=memory_bytes)
        self._timeout_s = timeout_s

    def _ask(self, op: str, key: str, values: Values | None = None, **more: Any) -> Any:
        timeout_s = more.pop("timeout_s", self._timeout_s)
        expect = more.pop("expect", [])  # most answers carry no tensor
        header = {"op": op, "key": key, **more}
        tensors = values.tensors if values else []
        return self._channel.request(header, tensors, timeout_s=timeout_s, expect=expect)

    def hello(self, timeout_s: float) -> dict[str, Any]:
        """Versions and thread count of the worker; also proof that it has started."""
        reply, _ = self._ask("hello", "", timeout_s=timeout_s)
        return dict(reply)

    def load(
        self,
        key: str,
        path: str,
        entry_point: str,
        seed: int,
        init: Values | None,
        timeout_s: float | None = None,
    ) -> Values:
        """Import a file and build an instance; returns the constructor's arguments."""
        more: dict[str, Any] = {"timeout_s": timeout_s} if timeout_s else {}
        more["expect"] = [] if init else None
        name = f"module_{digest(key)[:12]}"
        tree = init.tree if init else None
        reply, tensors = self._ask(
            "load", key, init, path=path, module=name, entry_point=entry_point, seed=seed,
            init=tree, **more,
        )  # fmt: skip
        return init or Values(reply.get("init"), tensors)

    def compile(self, key: str, options: Mapping[str, Any]) -> None:
        """Wrap the instance in torch.compile; the work happens at its first call."""
        self._ask("compile", key, options=dict(options))

    def make_inputs(self, key: str, seed: int) -> Values:
        """A fresh set of the reference's inputs."""
        reply, tensors = self._ask("make_inputs", key, seed=seed, expect=None)
        return Values(reply.get("value"), tensors)

    def state(self, key: str) -> Values:
        """Parameters and buffers."""
        reply, tensors = self._ask("state", key, expect=None)
        return Values(reply.get("value"), tensors)

    def set_state(self, key: str, state: Values) -> tuple[int, int]:
        """Copy what matches by name and shape; returns (copied, present)."""
        reply, _ = self._ask("set_state", key, state, value=state.tree)
        matched, own = reply.get("matched"), reply.get("own")
        if type(matched) is not int or type(own) is not int:
            raise nonsense("no counts of parameters")
        return matched, own

    def put(self, key: str, slot: int, values: Values) -> None:
        """Store inputs in a slot."""
        self._ask("put", key, values, slot=slot, value=values.tree)

    def call(self, key: str, slot: int, seed: int) -> None:
        """Run once; the result stays in the worker until fetched."""
        self._ask("call", key, slot=slot, seed=seed)

    def fetch(self, key: str, slot: int = LAST, expect: list[Spec] | None = None) -> Values:
        """The last result, the one BEFORE it, or the present content of a slot."""
        reply, tensors = self._ask("fetch", key, slot=slot, expect=expect)
        return Values(reply.get("value"), tensors)

    def golden(self, key: str, slot: int, seed: int) -> Values | str:
        """The float64 result, or why there is none."""
        reply, tensors = self._ask("golden", key, slot=slot, seed=seed, expect=None)
        if "unavailable" in reply:
            return str(reply["unavailable"])
        return Values(reply.get("value"), tensors)

    def block(self, key: str, slots: list[int], calls: int) -> tuple[float, float]:
        """Run `calls` times; returns (judge's, worker's) seconds for the whole block."""
        start = time.perf_counter()
        reply, _ = self._ask("block", key, slots=slots, calls=calls)
        elapsed = time.perf_counter() - start
        nanoseconds = reply.get("ns")
        if type(nanoseconds) is not int or not 0 <= nanoseconds < MAX_NANOSECONDS:
            raise nonsense("no time of the block")
        return elapsed, nanoseconds / 1e9

    def trace(self, key: str, slot: int) -> dict[str, Any]:
        """The exported graph as JSON. Raises WorkerFault where the module can't be exported."""
        reply, _ = self._ask("trace", key, slot=slot)
        return dict(reply["graph"])

    def profile(self, key: str, slot: int, calls: int) -> list[dict[str, Any]]:
        """Operators by self time."""
        reply, _ = self._ask("profile", key, slot=slot, calls=calls)
        rows = reply.get("operators")
        if not isinstance(rows, list) or not all(_is_operator(row) for row in rows):
            raise nonsense("no list of operators")
        return rows

    def copy_bandwidth(self) -> float:
        """Bytes per second that the worker's device copies."""
        reply, _ = self._ask("copy_bandwidth", "")
        return float(reply["bytes_per_s"])

    def write(self, name: str, text: str) -> str:
        """Put a file into the worker's folder; returns its path inside the sandbox."""
        path = Path(self.process.folder) / name
        # A worker may have put a link to a file of the host there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InfrastructureError(f"cannot write {name!r}: {error.strerror}") from error
            raise WorkerFault(Status.RUNTIME_ERROR, "the worker changed its folder") from error
        return str(path)


def _is_operator(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != {"name", "calls", "self_us"}:
        return False
    return isinstance(row["name"], str) and type(row["self_us"]) in (int, float)


def specs(values: Values) -> list[Spec]:
    """What tensors the values are."""
    return [Spec(tensor.dtype, tuple(tensor.shape)) for tensor in values.tensors]


def packed(value: Any) -> Values:
    """A host-side nest as `Values`."""
    tensors: Tensors = []
    return Values(pack(value, tensors), tensors)
