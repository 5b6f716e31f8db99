"""One instance of a module in a worker: operations on it, values in and out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from kernelwright.schema import Status, digest
from kernelwright.tasks.kinds.base import TaskKind
from kernelwright.verifier.worker.channel import NO_TENSORS
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.frames import Spec, check_expected, checked_count, checked_strings
from kernelwright.verifier.worker.input_buffers import InputBuffer, Layout
from kernelwright.verifier.worker.outputs import (
    RunReply,
    UseReply,
    checked_run,
    checked_use,
    read_result,
)
from kernelwright.verifier.worker.sampler import CodeSamples, Sighting, sample, sightings
from kernelwright.verifier.worker.tensor_tree import TensorTree

MAX_OPERATOR_NAME = 120
EXPORT_GRAPH = Path(__file__).parents[1] / "inside" / "export_graph.py"
# Name of the module that holds the uses in a worker.
USES_MODULE = "uses_of_a_module"


class Instance:
    """One instance of a module in a worker, which may hold others: one for each workload."""

    def __init__(self, client: WorkerClient, key: str, init: TensorTree) -> None:
        self.client = client
        self.key = key
        """Name of the workload that it was made for."""
        self.init = init
        """The constructor's arguments."""
        self.state_set: TensorTree | None = None
        """Parameters and buffers that it was set to last; calls may have changed them since."""
        self._request = functools.partial(client.channel.request, key=key)
        self._way: tuple[bool, list[str]] | None = None
        """Whether results were read from memory, and the devices they lay on."""

    @classmethod
    def load(
        cls,
        client: WorkerClient,
        kind: TaskKind,
        key: str,
        path: str,
        entry_point: str,
        init: TensorTree | None,
        timeout_s: float | None = None,
    ) -> Self:
        """Import a file in a worker and build an instance of what it defines.

        Args:
            kind: of the task.
            path: of the file, inside the sandbox.
            entry_point: name in the file.
            init: the constructor's arguments; None: those that the file's function gives.
            timeout_s: the client's time-out by default.
        """
        fields = {
            "adapter": client.write("adapter.py", _text(kind.adapter)),
            "path": path,
            "module": f"module_{digest(key)[:12]}",
            "entry_point": entry_point,
            "seed": kind.constructor_seed,
            "init": init.tree if init else None,
        }
        expect = NO_TENSORS if init else None
        reply, tensors = client.channel.request(
            "load", fields, init, key=key, timeout_s=timeout_s, expect=expect
        )
        return cls(client, key, init or TensorTree(reply.get("init"), tensors))

    def compile(self, options: Mapping[str, Any]) -> None:
        """Wrap the instance in torch.compile, which compiles at the first call."""
        self._request("compile", {"options": dict(options)})

    def make_inputs(self, seed: int) -> TensorTree:
        """Return a fresh set of the reference's inputs."""
        reply, tensors = self._request("make_inputs", {"seed": seed}, expect=None)
        return TensorTree(reply.get("value"), tensors)

    def state(self) -> TensorTree:
        """Return the instance's parameters and buffers, by name."""
        reply, tensors = self._request("state", expect=None)
        state = TensorTree(reply.get("value"), tensors)
        named = state.unpacked()
        if not isinstance(named, dict) or len(named) != len(tensors):
            raise nonsense("a state that is not one of tensors by name")
        if not all(isinstance(value, torch.Tensor) for value in named.values()):
            raise nonsense("a state that is not one of tensors by name")
        return state

    def parameters(self) -> list[str]:
        """Return the names in the state that are parameters."""
        reply, _ = self._request("state", expect=None)
        return checked_strings(reply.get("parameters"))

    def set_state(self, state: TensorTree) -> tuple[int, int]:
        """Copy what matches by name and shape; return how many matched, and how many it has."""
        reply, _ = self._request("set_state", {"value": state.tree}, state)
        matched, own = reply.get("matched"), reply.get("own")
        if type(matched) is not int or type(own) is not int:
            raise nonsense("no counts of parameters")
        self.state_set = state
        return matched, own

    def set_layout(self, layout: Layout) -> None:
        """Make the instance take its inputs from shared memory by this layout from now on."""
        self._request(
            "stage",
            {
                "value": layout.tree,
                "entries": layout.entries,
                "offsets": layout.offsets,
                "nbytes": layout.nbytes,
            },
        )

    def write_inputs(self, buffer: InputBuffer, slots: int | None = None) -> None:
        """Write the first `slots` sets (all by default) to where calls read them."""
        buffer.write(self.client.process.shared, slots)
        self.upload(buffer.layout.nbytes if slots is None else buffer.end(slots))

    def set_inputs(self, buffer: InputBuffer) -> None:
        """Stage a buffer's layout, which is new to the worker, and write all its sets."""
        self.set_layout(buffer.layout)
        self.write_inputs(buffer)

    def upload(self, nbytes: int) -> None:
        """Copy the shared memory to the GPU; on a CPU inputs are read from it directly."""
        if self.client.kind != "cpu":
            self._request("upload", {"nbytes": nbytes})

    def download(self, nbytes: int) -> None:
        """Copy the inputs' memory on the GPU to the shared memory; on a CPU they are the same."""
        if self.client.kind != "cpu":
            self._request("download", {"nbytes": nbytes})

    def mask(self, buffer: InputBuffer, seed: int) -> InputBuffer:
        """Return the inputs written last, masked by a seed; `run` unmasks them with that seed."""
        self._request("hide", {"seed": seed})
        self.download(buffer.layout.nbytes)
        masked = InputBuffer(buffer.layout)
        masked.read(self.client.process.shared)
        return masked

    def fill(self, seeds: Sequence[int]) -> None:
        """Make fresh sets of the reference's inputs in the first slots, one per seed."""
        self._request("fill", {"seeds": list(seeds)})

    def uses_rng(self, slot: int) -> bool:
        """Return whether a call draws random numbers."""
        reply, _ = self._request("draws", {"slot": slot})
        return bool(reply.get("draws"))

    def run(
        self,
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
        self.client.has_run = True
        reply, _ = self._request("run", _run_fields(slots, seeds, poison, unmask_seed))
        return checked_run(reply, len(slots), self.client.channel.window_s)

    def sampled_run(
        self, slots: Sequence[int], seeds: Sequence[int] | None
    ) -> tuple[CodeSamples, RunReply]:
        """Run as `run` does, and sample the running code at random moments."""
        found: list[CodeSamples] = []

        def watch(finished: Callable[[], bool]) -> None:
            found.append(sample(self.client.process, finished))
            self.client.process.thaw()

        reply, _ = self._request("run", _run_fields(slots, seeds), meanwhile=watch)
        return found[0], checked_run(reply, len(slots), self.client.channel.window_s)

    def watched_run(self, slots: Sequence[int]) -> list[list[Sighting]]:
        """Run as `run` does; return what its threads were doing at random moments."""
        found: list[list[Sighting]] = []

        def watch(finished: Callable[[], bool]) -> None:
            found.extend(sightings(self.client.process, finished))
            self.client.process.thaw()

        reply, _ = self._request("run", _run_fields(slots, None), meanwhile=watch)
        checked_run(reply, len(slots), self.client.channel.window_s)
        return found

    def observe(self, slot: int) -> dict[str, list[str]]:
        """Return torch's operators in one call by name, with the dtypes of their tensors."""
        reply, _ = self._request("observe", {"slot": slot})
        operators = reply.get("operators")
        if not isinstance(operators, dict):
            raise nonsense("no operators")
        return {str(name): checked_strings(types) for name, types in operators.items()}

    def drop(self) -> None:
        """Free the results of the last run."""
        self._request("drop")

    def result(self, ran: RunReply, call: int, expect: list[Spec] | None = None) -> TensorTree:
        """Return one result of the last run, as it lay in the stopped worker's memory.

        Raises:
            WorkerFault: the result is not what is expected, or not there.
        """
        if expect is not None:
            check_expected([dict(entry) for entry in ran.entries], expect)
        read = read_result(self.client.process.pid, ran, call)
        # The worker must not choose to send a result instead, which it could do after the clock.
        way = (read is not None, [entry["device"] for entry in ran.entries])
        self._way = self._way or way
        if self._way != way:
            raise nonsense("a result that lies elsewhere than the first one did")
        if read is not None:
            self.client.was_read = True
            return read
        return self._sent(ran, call)

    def _sent(self, ran: RunReply, call: int) -> TensorTree:
        """Return a result that the worker sends, where its memory can't be read."""
        if self.client.must_be_read:
            message = "its memory can't be read, where the reference's can"
            raise WorkerFault(Status.RUNTIME_ERROR, message)
        specs = [Spec(getattr(torch, e["dtype"]), tuple(e["shape"])) for e in ran.entries]
        reply, tensors = self._request("fetch", {"call": call}, expect=specs)
        return TensorTree(reply.get("value"), tensors)

    def golden(
        self, slots: Sequence[int], seed: int, perturb_seed: int | None = None
    ) -> TensorTree | str:
        """Return the float64 result of the last of some calls, or why there is none.

        Args:
            perturb_seed: seed of noise that moves inputs by less than one rounding of their type.
        """
        reply, tensors = self._request(
            "golden",
            {"slots": list(slots), "seed": seed, "shake": perturb_seed},
            expect=None,
        )
        if "unavailable" in reply:
            return str(reply["unavailable"])
        return TensorTree(reply.get("value"), tensors)

    def trace(self, slot: int, numbers: Mapping[str, float] | None = None) -> dict[str, Any]:
        """Return the exported graph as JSON. Raises WorkerFault if the module can't be exported.

        Args:
            numbers: values that the module's numbers are set to before, by dotted name.
        """
        given = {"key": self.key, "slot": slot, "numbers": dict(numbers or {})}
        graph = self.client.tool(EXPORT_GRAPH, "export_graph", **given)
        if not isinstance(graph, dict):
            raise nonsense("no graph")
        return graph

    def profile(self, slot: int, calls: int) -> list[dict[str, Any]]:
        """Return rows of `name`, `calls` and `self_us`, one per operator."""
        reply, _ = self._request("profile", {"slot": slot, "calls": calls})
        rows = reply.get("operators")
        if not isinstance(rows, list) or not all(_is_operator(row) for row in rows):
            raise nonsense("no list of operators")
        return rows

    def subject(
        self, file: Path, given: TensorTree, options: Mapping[str, Any]
    ) -> dict[str, list[int]]:
        """Say what uses of an instance's class start from; return its state's names and shapes.

        Args:
            file: the file of uses.
            given: state and inputs.
            options: the other arguments of its `Subject`.
        """
        path = self.client.write(file.name, file.read_text())
        fields = {"path": path, "module": USES_MODULE, "value": given.tree}
        reply, _ = self._request("subject", {**fields, "options": dict(options)}, given)
        state = reply.get("state")
        if not isinstance(state, dict) or not all(isinstance(s, list) for s in state.values()):
            raise nonsense("no shapes by name")
        return {str(name): shape for name, shape in state.items()}

    def use(
        self,
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
        reply, _ = self._request("use", fields, timeout_s=timeout_s)
        return checked_use(reply, checked_run(reply, 1, self.client.channel.window_s))

    def used(self, reply: UseReply) -> TensorTree:
        """Return the results of the last use. Raises WorkerFault if they are not there."""
        read = read_result(self.client.process.pid, reply.ran, 0)
        return self._sent(reply.ran, 0) if read is None else read

    def flops(self, slot: int) -> int:
        """Count the operations of one call's matrix products, convolutions and attention."""
        reply, _ = self._request("flops", {"slot": slot})
        return checked_count(reply.get("flops"), 0)


def _run_fields(
    slots: Sequence[int],
    seeds: Sequence[int] | None,
    poison: bool = False,
    unmask_seed: int | None = None,
) -> dict[str, Any]:
    given = None if seeds is None else list(seeds)
    return {"slots": list(slots), "seeds": given, "poison": poison, "cover": unmask_seed}


@functools.cache
def _text(path: Path) -> str:
    return path.read_text()


def _is_operator(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != {"name", "calls", "self_us"}:
        return False
    if not isinstance(row["name"], str) or len(row["name"]) > MAX_OPERATOR_NAME:
        return False
    if type(row["calls"]) is not int or not 0 <= row["calls"] < 2**63:
        return False
    return type(row["self_us"]) in (int, float) and 0 <= row["self_us"] < 2**63
