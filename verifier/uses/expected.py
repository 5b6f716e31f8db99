"""The reference's side of the uses: the plan, and what each use gives, made once per run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Task
from kernelwright.verifier.inside import use_plans
from kernelwright.verifier.inside import uses as uses_file
from kernelwright.verifier.reference.calls import load_reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.uses.catalogue import USES
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed, specs

USES_FILE = Path(uses_file.__file__)
PLANS_FILE = Path(use_plans.__file__)
# Most bytes of results that are kept for the next candidate; others are made again.
KEPT_BYTES = 2**26


class Variant(NamedTuple):
    """One use with certain parameters."""

    use: str
    words: str
    """The difference from other variants of the use; may be empty."""
    parameters: dict[str, Any]
    refuses: bool
    """Where the reference raises, a value is wrong."""


class Plan(NamedTuple):
    """The uses of one workload, and what they start from."""

    inputs: TensorTree
    options: dict[str, Any]
    """The options of `Subject` that do not depend on a candidate."""
    variants: list[Variant]


class ExpectedUse(NamedTuple):
    """The reference's results in one use."""

    error: str | None
    """The words of what it raised; then there are no values."""
    values: TensorTree
    golden: TensorTree | None
    """The same in float64; None where there is none."""
    streams: list[int]
    """See `UseReply.streams`."""

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return self.values.nbytes + (self.golden.nbytes if self.golden else 0)


NOTHING = TensorTree({"v": None}, [])


class ExpectedUses:
    """The results of a workload's uses, by the reference in workers of its own.

    Use as a context manager, once for each candidate: the worker ends with it, the results stay.

    Args:
        prepared: the workload, with the parameters that instances get.
        seed: of the inputs.
        may_trim: whether a large workload's uses may have a smaller batch, which saves time.
    """

    def __init__(
        self,
        task: Task,
        machine: Machine,
        prepared: PreparedWorkload,
        seed: int,
        may_trim: bool,
    ) -> None:
        self.prepared = prepared
        self._may_trim = may_trim
        self.seconds = 0.0
        """Seconds that the reference took so far."""
        self._machine = machine
        self._limits = task.limits
        self._seed = seed
        self._instance: Instance | None = None
        self._plan: Plan | None = None
        self._kept: dict[int, ExpectedUse | None] = {}
        self._kept_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._instance is not None:
            self._instance.client.process.kill()
            self._instance = None

    def plan(self) -> Plan:
        """Return the plan. Raises WorkerFault if none can be made of this reference."""
        if self._plan is None:
            self._start()
            assert self._plan is not None
        return self._plan

    def expected(self, index: int) -> ExpectedUse | None:
        """Return the reference's results in a variant; None where its process dies or hangs."""
        if index in self._kept:
            return self._kept[index]
        start = time.monotonic()
        found = self._made(self.plan().variants[index])
        self.seconds += time.monotonic() - start
        nbytes = found.nbytes if found else 0
        if self._kept_bytes + nbytes <= KEPT_BYTES:
            self._kept[index] = found
            self._kept_bytes += nbytes
        return found

    def _made(self, variant: Variant) -> ExpectedUse | None:
        instance = self._instance or self._start()
        timeout_s = USES[variant.use].timeout_s
        try:
            reply = instance.use(variant.use, variant.parameters, timeout_s=timeout_s)
            if reply.died:
                return None
            if reply.error is not None:
                return ExpectedUse(reply.error, NOTHING, None, reply.streams)
            values = instance.used(reply)
            golden = None if any(reply.streams) else self._golden(instance, variant, values)
        except WorkerFault:
            instance.client.process.kill()
            self._instance = None
            return None
        return ExpectedUse(None, values, golden, reply.streams)

    def _golden(
        self, instance: Instance, variant: Variant, values: TensorTree
    ) -> TensorTree | None:
        reply = instance.use(variant.use, variant.parameters, exact=True)
        if reply.error is not None or reply.died:
            return None
        golden = instance.used(reply)
        shapes = [spec.shape for spec in specs(golden)], [spec.shape for spec in specs(values)]
        return golden if shapes[0] == shapes[1] else None

    def _start(self) -> Instance:
        """Start a worker with the reference in it, and make the plan if there is none yet."""
        client = start_worker(self._machine, self._limits)
        try:
            await_start(client)
            prepared = self.prepared
            instance = load_reference(
                client, prepared.kind, prepared.workload, prepared.source, prepared.init
            )
            if self._plan is None:
                self._plan = self._planned(instance)
            else:
                self.give(instance, self._plan, loads=True)
        except BaseException:
            client.process.kill()
            raise
        self._instance = instance
        return instance

    def _planned(self, instance: Instance) -> Plan:
        inputs = instance.make_inputs(self._seed)
        shares = not self.prepared.traits.mutates_state
        bare = Plan(inputs, {"shares": shares}, [])
        self.give(instance, bare, loads=True)
        found: Any = instance.client.tool(
            PLANS_FILE, "planned", key=instance.key, source=self.prepared.source
        )
        options = {
            "shares": shares,
            "batch": found["batch"],
            "trims": found["trims"] and self._may_trim,
        }
        variants = [Variant(**entry) for entry in found["variants"]]
        plan = Plan(inputs, options, variants)
        self.give(instance, plan, loads=True)
        return plan

    def give(self, instance: Instance, plan: Plan, loads: bool) -> dict[str, list[int]]:
        """Give a loaded instance what uses start from; return its state's names and shapes."""
        given = packed([self.prepared.state.unpacked(), plan.inputs.unpacked()])
        return instance.subject(USES_FILE, given, {**plan.options, "loads": loads})
