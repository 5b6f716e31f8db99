"""The client of a worker: operations on the instances it holds, values in and out."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import UnstoppableError, WorkerProcess
from kernelwright.schema import Status, digest
from kernelwright.verifier.worker.channel import Channel
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.frames import Spec, check_expected
from kernelwright.verifier.worker.input_buffers import InputBuffer, Layout
from kernelwright.verifier.worker.outputs import (
    RunReply,
    UseReply,
    checked_run,
    checked_use,
    read_result,
)
from kernelwright.verifier.worker.sampler import CodeSamples, sample
from kernelwright.verifier.worker.tensor_tree import TensorTree

MAX_OPERATOR_NAME = 120
# Name of the module that holds the uses in a worker.
USES_MODULE = "uses_of_a_module"
# Most replies carry none.
NO_TENSORS: list[Spec] = []


class WorkerClient:
    """A client of one worker: operations on the instances it holds (one per workload, by `key`)."""

    def __init__(
        self, process: WorkerProcess, memory_bytes: int, timeout_s: float, kind: str = "cpu"
    ) -> None:
        self.process = process
        self.kind = kind
        """Kind of the device: `cpu` or `cuda`."""
        self._channel = Channel(process, max_body_bytes=memory_bytes)
        self._timeout_s = timeout_s
        self.l2_bytes = 0
        """Size of a GPU's last cache, in bytes; set by `hello`."""
        self.states: dict[str, TensorTree] = {}
        """Parameters and buffers that an instance was set to, where calls do not change them."""
        self.window_s = 0.0
        """Seconds that the worker ran for the last request, until all its threads stood still."""
        self.running_s = 0.0
        """Seconds that the worker ran for all requests."""
        self.must_be_read = False
        """A result that can't be read from the worker's memory is a fault."""
        self.has_run = False
        """`run` was called."""
        self._ways: dict[str, tuple[bool, list[str]]] = {}
        """By instance: whether results were read from memory, and the devices they lay on."""

    @property
    def was_read(self) -> bool:
        """Whether results were read from this worker's memory."""
        return any(read for read, _devices in self._ways.values())

    def _ask(
        self,
        op: str,
        key: str,
        fields: Mapping[str, Any] | None = None,
        values: TensorTree | None = None,
        *,
        timeout_s: float | None = None,
        expect: list[Spec] | None = NO_TENSORS,
        meanwhile: Callable[[Callable[[], bool]], None] | None = None,
    ) -> Any:
        """Resume the worker for one request, and return the reply.

        Args:
            fields: header fields besides `op` and `key`.
            values: a nest, of which the tensors are sent.
            timeout_s: the client's time-out by default.
            expect, meanwhile: see `Channel.request`.
        """
        header = {"op": op, "key": key, **(fields or {})}
        tensors = values.tensors if values else []
        start = time.perf_counter()
        self.process.thaw()
        try:
            return self._channel.request(
                header,
                tensors,
                timeout_s=timeout_s or self._timeout_s,
                expect=expect,
                meanwhile=meanwhile,
            )
        except UnstoppableError as error:
            raise WorkerFault(Status.RUNTIME_ERROR, str(error)) from error
        finally:
            self._stop(start, failed=sys.exception() is not None)

    def _stop(self, start: float, failed: bool) -> None:
        try:
            self.window_s = self.process.freeze() - start
            self.running_s += self.window_s
        except UnstoppableError as error:
            if not failed:  # otherwise a better reason is raised already
                raise WorkerFault(Status.RUNTIME_ERROR, str(error)) from error

    def hello(self, timeout_s: float) -> dict[str, Any]:
        """Return versions and thread count of the worker; also proof that it has started."""
        reply, _ = self._ask("hello", "", timeout_s=timeout_s)
        self.l2_bytes = _count(reply.get("l2_bytes"), 0)
        return dict(reply)

    def load(
        self,
        key: str,
        path: str,
        entry_point: str,
        seed: int,
        init: TensorTree | None,
        timeout_s: float | None = None,
    ) -> TensorTree:
        """Import a file and build an instance; return the constructor's arguments."""
        fields = {
            "path": path,
            "module": f"module_{digest(key)[:12]}",
            "entry_point": entry_point,
            "seed": seed,
            "init": init.tree if init else None,
        }
        expect = NO_TENSORS if init else None
        reply, tensors = self._ask("load", key, fields, init, timeout_s=timeout_s, expect=expect)
        return init or TensorTree(reply.get("init"), tensors)

    def compile(self, key: str, options: Mapping[str, Any]) -> None:
        """Wrap the instance in torch.compile, which compiles at the first call."""
        self._ask("compile", key, {"options": dict(options)})

    def make_inputs(self, key: str, seed: int) -> TensorTree:
        """Return a fresh set of the reference's inputs."""
        reply, tensors = self._ask("make_inputs", key, {"seed": seed}, expect=None)
        return TensorTree(reply.get("value"), tensors)

    def state(self, key: str) -> TensorTree:
        """Return the instance's parameters and buffers, by name."""
        reply, tensors = self._ask("state", key, expect=None)
        state = TensorTree(reply.get("value"), tensors)
        named = state.unpacked()
        if not isinstance(named, dict) or len(named) != len(tensors):
            raise nonsense("a state that is not one of tensors by name")
        if not all(isinstance(value, torch.Tensor) for value in named.values()):
            raise nonsense("a state that is not one of tensors by name")
        return state

    def parameters(self, key: str) -> list[str]:
        """Return the names in the state that are parameters."""
        reply, _ = self._ask("state", key, expect=None)
        return _strings(reply.get("parameters"))

    def set_state(self, key: str, state: TensorTree) -> tuple[int, int]:
        """Copy what matches by name and shape; return how many matched, and how many it has."""
        reply, _ = self._ask("set_state", key, {"value": state.tree}, state)
        matched, own = reply.get("matched"), reply.get("own")
        if type(matched) is not int or type(own) is not int:
            raise nonsense("no counts of parameters")
        return matched, own

    def set_layout(self, key: str, layout: Layout) -> None:
        """Make the instance take its inputs from shared memory by this layout from now on."""
        self._ask(
            "stage",
            key,
            {
                "value": layout.tree,
                "entries": layout.entries,
                "offsets": layout.offsets,
                "nbytes": layout.nbytes,
            },
        )

    def write_inputs(self, key: str, buffer: InputBuffer, slots: int | None = None) -> None:
        """Write the first `slots` sets (all by default) to where calls read them."""
        buffer.write(self.process.shared, slots)
        self.upload(key, buffer.layout.nbytes if slots is None else buffer.end(slots))

    def set_inputs(self, key: str, buffer: InputBuffer) -> None:
        """Stage a buffer's layout, which is new to the worker, and write all its sets."""
        self.set_layout(key, buffer.layout)
        self.write_inputs(key, buffer)

    def upload(self, key: str, nbytes: int) -> None:
        """Copy the shared memory to the GPU; on a CPU inputs are read from it directly."""
        if self.kind != "cpu":
            self._ask("upload", key, {"nbytes": nbytes})

    def download(self, key: str, nbytes: int) -> None:
        """Copy the inputs' memory on the GPU to the shared memory; on a CPU they are the same."""
        if self.kind != "cpu":
            self._ask("download", key, {"nbytes": nbytes})

    def mask(self, key: str, buffer: InputBuffer, seed: int) -> InputBuffer:
        """Return the inputs written last, masked by a seed; `run` unmasks them with that seed."""
        self._ask("hide", key, {"seed": seed})
        self.download(key, buffer.layout.nbytes)
        masked = InputBuffer(buffer.layout)
        masked.read(self.process.shared)
        return masked

    def fill(self, key: str, seeds: Sequence[int]) -> None:
        """Make fresh sets of the reference's inputs in the first slots, one per seed."""
        self._ask("fill", key, {"seeds": list(seeds)})

    def uses_rng(self, key: str, slot: int) -> bool:
        """Return whether a call draws random numbers."""
        reply, _ = self._ask("draws", key, {"slot": slot})
        return bool(reply.get("draws"))

    def run(
        self,
        key: str,
        slots: Sequence[int],
        seeds: Sequence[int] | None = None,
        poison: bool = False,
        unmask_seed: int | None = None,
    ) -> RunReply:
        """Call once for each slot; results stay in the worker, which is stopped on return.

        Args:
            seeds: seeds of torch, set before each call.
            poison: fill memory that is allocated meanwhile with garbage.
            unmask_seed: seed of the inputs' mask; see `mask`.
        """
        self.has_run = True
        given = None if seeds is None else list(seeds)
        fields = {"slots": list(slots), "seeds": given, "poison": poison, "cover": unmask_seed}
        reply, _ = self._ask("run", key, fields)
        return checked_run(reply, len(slots), self.window_s)

    def sampled_run(
        self, key: str, slots: Sequence[int], seeds: Sequence[int] | None
    ) -> tuple[CodeSamples, RunReply]:
        """Run as `run` does, and sample the running code at random moments."""
        found: list[CodeSamples] = []

        def watch(finished: Callable[[], bool]) -> None:
            found.append(sample(self.process, finished))
            self.process.thaw()

        given = None if seeds is None else list(seeds)
        reply, _ = self._ask(
            "run",
            key,
            {"slots": list(slots), "seeds": given, "poison": False, "cover": None},
            meanwhile=watch,
        )
        return found[0], checked_run(reply, len(slots), self.window_s)

    def observe(self, key: str, slot: int) -> dict[str, list[str]]:
        """Return torch's operators in one call by name, with the dtypes of their tensors."""
        reply, _ = self._ask("observe", key, {"slot": slot})
        operators = reply.get("operators")
        if not isinstance(operators, dict):
            raise nonsense("no operators")
        return {str(name): _strings(types) for name, types in operators.items()}

    def settings(self) -> dict[str, str]:
        """Return settings of torch and of the environment, as the worker reports them."""
        reply, _ = self._ask("settings", "")
        settings = reply.get("settings")
        if not isinstance(settings, dict):
            raise nonsense("no settings")
        return {str(name): str(value) for name, value in settings.items()}

    def drop(self, key: str) -> None:
        """Free the results of the last run."""
        self._ask("drop", key)

    def prefault(self, nbytes: int) -> None:
        """Touch so many bytes of the worker's heap, so that timed calls need no new pages."""
        self._ask("touch", "", {"nbytes": nbytes})

    def result(
        self, key: str, ran: RunReply, call: int, expect: list[Spec] | None = None
    ) -> TensorTree:
        """Return one result of the last run, as it lay in the stopped worker's memory.

        Raises:
            WorkerFault: the result is not what is expected, or not there.
        """
        if expect is not None:
            check_expected([dict(entry) for entry in ran.entries], expect)
        read = read_result(self.process.pid, ran, call)
        # The worker must not choose to send a result instead, which it could do after the clock.
        way = (read is not None, [entry["device"] for entry in ran.entries])
        if self._ways.setdefault(key, way) != way:
            raise nonsense("a result that lies elsewhere than the first one did")
        if read is not None:
            return read
        if self.must_be_read:
            message = "its memory can't be read, where the reference's can"
            raise WorkerFault(Status.RUNTIME_ERROR, message)
        specs = [Spec(getattr(torch, e["dtype"]), tuple(e["shape"])) for e in ran.entries]
        reply, tensors = self._ask("fetch", key, {"call": call}, expect=specs)
        return TensorTree(reply.get("value"), tensors)

    def golden(
        self, key: str, slots: Sequence[int], seed: int, perturb_seed: int | None = None
    ) -> TensorTree | str:
        """Return the float64 result of the last of some calls, or why there is none.

        Args:
            perturb_seed: seed of noise that moves inputs by less than one rounding of their type.
        """
        reply, tensors = self._ask(
            "golden", key, {"slots": list(slots), "seed": seed, "shake": perturb_seed}, expect=None
        )
        if "unavailable" in reply:
            return str(reply["unavailable"])
        return TensorTree(reply.get("value"), tensors)

    def trace(
        self, key: str, slot: int, numbers: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
        """Return the exported graph as JSON. Raises WorkerFault if the module can't be exported.

        Args:
            numbers: values that the module's numbers are set to before, by dotted name.
        """
        reply, _ = self._ask("trace", key, {"slot": slot, "numbers": dict(numbers or {})})
        graph = reply.get("graph")
        if not isinstance(graph, dict):
            raise nonsense("no graph")
        return graph

    def profile(self, key: str, slot: int, calls: int) -> list[dict[str, Any]]:
        """Return rows of `name`, `calls` and `self_us`, one per operator."""
        reply, _ = self._ask("profile", key, {"slot": slot, "calls": calls})
        rows = reply.get("operators")
        if not isinstance(rows, list) or not all(_is_operator(row) for row in rows):
            raise nonsense("no list of operators")
        return rows

    def tool(self, file: Path, function: str, **arguments: Any) -> object:
        """Run a function of one of our files in the worker; return its result, any JSON value.

        Args:
            function: called with the loaded instances by key, and `arguments`.
        """
        path = self.write(file.name, file.read_text())
        name = f"tool_{digest(path)[:12]}"
        reply, _ = self._ask(
            "tool", "", {"path": path, "module": name, "function": function, "arguments": arguments}
        )
        return reply.get("found")

    def subject(
        self, key: str, file: Path, given: TensorTree, options: Mapping[str, Any]
    ) -> dict[str, list[int]]:
        """Say what uses of an instance's class start from; return its state's names and shapes.

        Args:
            file: the file of uses.
            given: state and inputs.
            options: the other arguments of its `Subject`.
        """
        path = self.write(file.name, file.read_text())
        fields = {"path": path, "module": USES_MODULE, "value": given.tree}
        reply, _ = self._ask("subject", key, {**fields, "options": dict(options)}, given)
        state = reply.get("state")
        if not isinstance(state, dict) or not all(isinstance(s, list) for s in state.values()):
            raise nonsense("no shapes by name")
        return {str(name): shape for name, shape in state.items()}

    def use(
        self,
        key: str,
        use: str,
        parameters: Mapping[str, Any],
        exact: bool = False,
        timeout_s: float | None = None,
    ) -> UseReply:
        """Do one use of an instance's class.

        Args:
            exact: compute in float64.
            timeout_s: the client's time-out by default.

        Raises:
            WorkerFault: the process died of it, or hangs.
        """
        fields = {"use": use, "parameters": dict(parameters), "exact": exact}
        fields["module"] = USES_MODULE
        reply, _ = self._ask("use", key, fields, timeout_s=timeout_s)
        return checked_use(reply, checked_run(reply, 1, self.window_s))

    def used(self, key: str, reply: UseReply) -> TensorTree:
        """Return the results of the last use. Raises WorkerFault if they are not there."""
        read = read_result(self.process.pid, reply.ran, 0)
        if read is not None:
            return read
        entries = reply.ran.entries
        specs = [Spec(getattr(torch, e["dtype"]), tuple(e["shape"])) for e in entries]
        sent, tensors = self._ask("fetch", key, {"call": 0}, expect=specs)
        return TensorTree(sent.get("value"), tensors)

    def copy_bandwidth(self, nbytes: int) -> float:
        """Return bytes per second, read and written, of copying `nbytes` on the worker's device."""
        reply, _ = self._ask("copy_bandwidth", "", {"nbytes": nbytes})
        return float(_count(reply.get("bytes_per_s"), 1))

    def peak_flops(self, dtype: str = "float32") -> float:
        """Return the operations per second of a large matrix product."""
        reply, _ = self._ask("peak_flops", "", {"dtype": dtype})
        return float(_count(reply.get("flops_per_s"), 1))

    def flops(self, key: str, slot: int) -> int:
        """Count the operations of one call's matrix products, convolutions and attention."""
        reply, _ = self._ask("flops", key, {"slot": slot})
        return _count(reply.get("flops"), 0)

    def write(self, name: str, text: str) -> str:
        """Write a file to the worker's folder; return its path inside the sandbox."""
        path = Path(self.process.folder) / name
        # A worker may have put a link to a file of the host there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with open(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InfrastructureError(f"cannot write {name!r}: {error.strerror}") from error
            raise WorkerFault(Status.RUNTIME_ERROR, "the worker changed its folder") from error
        return f"{self.process.inside}/{name}"


def _count(value: object, least: int) -> int:
    if type(value) is not int or not least <= value < 2**63:
        raise nonsense("no number where one belongs")
    return value


def _is_operator(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != {"name", "calls", "self_us"}:
        return False
    if not isinstance(row["name"], str) or len(row["name"]) > MAX_OPERATOR_NAME:
        return False
    if type(row["calls"]) is not int or not 0 <= row["calls"] < 2**63:
        return False
    return type(row["self_us"]) in (int, float) and 0 <= row["self_us"] < 2**63


def _strings(found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise nonsense("no list of names")
    return found
