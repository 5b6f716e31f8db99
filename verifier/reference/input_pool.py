"""The input pool of timed rounds: a worker is timed on every set once.

A set lies in a buffer with as many others as fit into the bytes that the level allows. The larger a
buffer is, the longer are rounds, and the less it matters that each starts with cold caches.
Buffers are kept for the next candidate's worker, which has not seen them: as many as a quiet
evaluation needs, if there is memory for them. The workers of one candidate get different buffers,
as they may find ways to each other.

A worker with a GPU has to copy its inputs there itself, and no clock runs while it does. So it gets
them masked with random numbers, and the seed of the mask only when the clock has started.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence

from kernelwright.verifier.reference.calls import known_to_work
from kernelwright.verifier.reference.memory import MemoryBudget, Worth
from kernelwright.verifier.reference.seeds import SEED_BITS, derived_seed
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.input_buffers import InputBuffer, Mask, plan_layout
from kernelwright.verifier.worker.instance import Instance

KEPT_BUFFERS = 32
# More buffers than one worker needs; numbers from half of that on are for single calls.
BUFFERS_PER_WORKER = 10_000
FIRST_SINGLE_CALL = BUFFERS_PER_WORKER // 2
MAX_SLOTS = 1024


class InputPool:
    """The input buffers of one workload, by number.

    Args:
        secret: the secret of the run, from which all seeds are derived.
        nbytes: wanted bytes of inputs or results in one buffer, whichever are more.
        memory: what buffers are kept in.
        oracle: function that returns the reference's present instance, which makes inputs.
    """

    def __init__(
        self,
        prepared: PreparedWorkload,
        secret: int,
        nbytes: int,
        memory: MemoryBudget,
        oracle: Callable[[], Instance],
    ) -> None:
        self.prepared = prepared
        self._secret = secret
        largest = max(prepared.example_inputs.nbytes, prepared.result_bytes, 1)
        slots = max(1, min(MAX_SLOTS, nbytes // largest))
        self.layout = plan_layout(prepared.example_inputs, slots)
        self.nbytes = slots * largest
        """Bytes of the inputs or of the results of one buffer, whichever are more."""
        self._memory = memory
        self._oracle = oracle
        self._chance = random.SystemRandom()
        self._orders: dict[int, list[int]] = {}

    def buffer(self, number: int, sets: int | None = None) -> InputBuffer:
        """Return the buffer of one timed round; the reference's worker makes it if it was not kept.

        Args:
            sets: how many of its sets are wanted; all by default, and always all for a GPU.
        """
        oracle = self._oracle()
        wanted = self.layout.slots if sets is None or oracle.client.kind != "cpu" else sets
        place = "inputs", self.prepared.workload.name, self.layout.slots, number
        kept: tuple[InputBuffer, int] | None = self._memory.get(place)  # and how many sets it has
        if kept is not None and kept[1] >= wanted:
            return kept[0]
        del kept
        buffer = InputBuffer(self.layout)
        seeds = [self._seed("timed", number, slot) for slot in range(wanted)]
        with known_to_work():
            oracle.set_layout(self.layout)
            oracle.fill(seeds)
            buffer.read(oracle.client.process.shared, buffer.end(wanted))
            buffer.guard()
            self._mask(buffer, oracle)
        if number % FIRST_SINGLE_CALL < KEPT_BUFFERS:
            self._memory.keep(place, (buffer, wanted), self.buffer_bytes, Worth.INPUTS)
        return buffer

    @property
    def buffer_bytes(self) -> int:
        """Bytes that one buffer takes here."""
        masked = 1 if self._oracle().client.kind == "cpu" else 2
        return masked * self.layout.nbytes

    def single_call_buffers(self, number: int, most: int) -> list[InputBuffer]:
        """Return the first sets of a buffer, at most `most`, each in a buffer of its own."""
        most = min(most, self.layout.slots)
        sets = self.buffer(number, most).sets[:most]
        buffers = [self.prepared.input_buffer([one]) for one in sets]
        oracle = self._oracle()
        with known_to_work():
            oracle.set_layout(buffers[0].layout)
            for buffer in buffers:
                self._mask(buffer, oracle)
        return buffers

    def _mask(self, buffer: InputBuffer, oracle: Instance) -> None:
        """Add a mask to a buffer for GPUs' workers; the oracle must have its layout already."""
        if oracle.client.kind != "cpu":
            seed = secrets.randbits(SEED_BITS)
            oracle.write_inputs(buffer)
            buffer.mask = Mask(seed, oracle.mask(buffer, seed))

    def spot_check_slot(self, number: int, calls: int, few: int | None) -> int:
        """Choose the slot of the spot check in a round of so many calls.

        Args:
            few: draw from so many slots of the buffer, a secret of the run; None: from all.
        """
        slots = range(self.layout.slots)
        order = self._orders.setdefault(number, self._chance.sample(slots, len(slots)))
        return self._chance.choice([slot for slot in order if slot < calls][:few])

    def call_seeds(self, number: int, slots: Sequence[int]) -> list[int] | None:
        """Return torch's seed before each call; None if the reference draws no random numbers."""
        if not self.prepared.traits.uses_rng:
            return None
        return [self._seed("call", number, slot) for slot in slots]

    def _seed(self, purpose: str, number: int, slot: int) -> int:
        """Return a seed that no other workload has, nor a level with rounds of another size."""
        place = self.prepared.workload.name, self.nbytes, number, slot
        return derived_seed(self._secret, purpose, *place)
