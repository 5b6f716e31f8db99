"""A worker as the judge sees it: operations on the instances it holds, values in and out."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerProcess
from kernelwright.schema import Status, digest
from kernelwright.verifier.channel import Channel, Spec, WorkerFault, check_expected, nonsense
from kernelwright.verifier.results import Ran, checked_run, read_result
from kernelwright.verifier.shared import Layout
from kernelwright.verifier.values import Values


class RemoteModule:
    """One worker, as operations on the instances it holds (one per workload, by `key`)."""

    def __init__(self, process: WorkerProcess, memory_bytes: int, timeout_s: float) -> None:
        self.process = process
        self._channel = Channel(process, max_body_bytes=memory_bytes)
        self._timeout_s = timeout_s
        self.states: dict[str, Values] = {}
        """What an instance's parameters were set to, where calls leave them as they are."""
        self.window_s = 0.0
        """How long the worker ran for the last request: until every thread of it stood still."""

    def _ask(self, op: str, key: str, values: Values | None = None, **more: Any) -> Any:
        timeout_s = more.pop("timeout_s", self._timeout_s)
        expect = more.pop("expect", [])  # most answers carry no tensor
        header = {"op": op, "key": key, **more}
        tensors = values.tensors if values else []
        start = time.perf_counter()
        self.process.thaw()
        try:
            return self._channel.request(header, tensors, timeout_s=timeout_s, expect=expect)
        finally:
            self.window_s = self.process.freeze() - start

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

    def parameters(self, key: str) -> list[str]:
        """Which names of the state are parameters."""
        reply, _ = self._ask("state", key, expect=None)
        return list(map(str, reply["parameters"]))

    def set_state(self, key: str, state: Values) -> tuple[int, int]:
        """Copy what matches by name and shape; returns (copied, present)."""
        reply, _ = self._ask("set_state", key, state, value=state.tree)
        matched, own = reply.get("matched"), reply.get("own")
        if type(matched) is not int or type(own) is not int:
            raise nonsense("no counts of parameters")
        return matched, own

    def stage(self, key: str, layout: Layout) -> None:
        """Take inputs from shared memory by this layout from now on."""
        self._ask(
            "stage", key, value=layout.tree, entries=layout.entries, offsets=layout.offsets,
            nbytes=layout.nbytes,
        )  # fmt: skip

    def fill(self, key: str, seeds: Sequence[int]) -> None:
        """Fresh sets of the reference's inputs into the first slots."""
        self._ask("fill", key, seeds=list(seeds))

    def draws(self, key: str, slot: int) -> bool:
        """Whether a call draws random numbers."""
        reply, _ = self._ask("draws", key, slot=slot)
        return bool(reply.get("draws"))

    def run(
        self,
        key: str,
        slots: Sequence[int],
        seeds: Sequence[int] | None = None,
        poison: bool = False,
    ) -> Ran:
        """Call once for each slot; results stay in the worker, which is stopped on return.

        Args:
            seeds: for torch, before each call.
            poison: fill memory that is allocated meanwhile with garbage.
        """
        given = None if seeds is None else list(seeds)
        reply, _ = self._ask("run", key, slots=list(slots), seeds=given, poison=poison)
        return checked_run(reply, len(slots), self.window_s)

    def drop(self, key: str) -> None:
        """Free the results of the last run."""
        self._ask("drop", key)

    def result(self, key: str, ran: Ran, call: int, expect: list[Spec] | None = None) -> Values:
        """One result of the last run, as it lay in the worker's memory when that was stopped.

        Raises:
            WorkerFault: it is not what is expected, or not there.
        """
        if expect is not None:
            check_expected([dict(entry) for entry in ran.entries], expect)
        read = read_result(self.process.pid, ran, call)
        if read is not None:
            return read
        specs = [Spec(getattr(torch, e["dtype"]), tuple(e["shape"])) for e in ran.entries]
        reply, tensors = self._ask("fetch", key, call=call, expect=specs)
        return Values(reply.get("value"), tensors)

    def golden(self, key: str, slot: int, seed: int) -> Values | str:
        """The float64 result, or why there is none."""
        reply, tensors = self._ask("golden", key, slot=slot, seed=seed, expect=None)
        if "unavailable" in reply:
            return str(reply["unavailable"])
        return Values(reply.get("value"), tensors)

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
