"""Inputs of timed blocks: every set is shown to a worker once, and only when its time is running.

A set lies in an image with as many others as fit into the bytes that the level's plan gives it. The
larger, the longer are blocks, and the less it matters that each starts with cold caches. Images are
kept for the next candidate's worker, which has not seen them: as many as a quiet evaluation needs,
up to BANK_BYTES. A candidate's workers are shown different ones: they may find ways to each other.

A worker with a GPU has to copy its inputs there itself, and while it does no clock is running. So
it gets them hidden behind random numbers, and the seed of these when the clock has started.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence

from kernelwright.verifier.reference.seeds import SEED_BITS, derived_seed
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.input_buffers import InputBuffer, Mask, plan_layout

BANK_BYTES, BANK_IMAGES = 2 * 2**30, 32
# More images than one worker is shown; from half of that on they are for single calls.
APART = 10_000
OF_SINGLES = APART // 2
MAX_SLOTS = 1024


class InputPool:
    """The images of one workload, by number.

    Args:
        secret: that all seeds come from.
        nbytes: of inputs or results in one image, whichever are more.
    """

    def __init__(self, prepared: PreparedWorkload, secret: int, nbytes: int) -> None:
        self.prepared = prepared
        self._secret = secret
        largest = max(prepared.like.nbytes, prepared.result_bytes, 1)
        slots = max(1, min(MAX_SLOTS, nbytes // largest))
        self.layout = plan_layout(prepared.like, slots)
        self.nbytes = slots * largest
        """Of the inputs or of the results of one image, whichever are more."""
        self._bank: dict[int, tuple[InputBuffer, int]] = {}
        """Images by number, and how many of their sets were made."""
        self._chance = random.SystemRandom()
        self._orders: dict[int, list[int]] = {}

    def image(self, number: int, oracle: WorkerClient, sets: int | None = None) -> InputBuffer:
        """One image, made by the reference's worker where it is not in the bank.

        Args:
            sets: how many of its sets are wanted; all by default, as a GPU's workers take all.
        """
        wanted = self.layout.slots if sets is None or oracle.kind != "cpu" else sets
        known, made = self._bank.get(number, (None, 0))
        if known is not None and made >= wanted:
            return known
        key, image = self.prepared.workload.name, InputBuffer(self.layout)
        oracle.stage(key, self.layout)
        seeds = [derived_seed(self._secret, "timed", number, slot) for slot in range(wanted)]
        oracle.fill(key, seeds)
        image.read(oracle.process.shared, image.end(wanted))
        image.guard()
        self._cover(image, oracle)
        fits = (len(self._bank) + 1) * self.layout.nbytes <= BANK_BYTES
        if fits and number % OF_SINGLES < BANK_IMAGES:
            self._bank[number] = image, wanted
        return image

    def singles(self, number: int, most: int, oracle: WorkerClient) -> list[InputBuffer]:
        """The first sets of an image, each in one of its own."""
        most = min(most, self.layout.slots)
        sets = self.image(number, oracle, most).sets[:most]
        images = [self.prepared.image([one]) for one in sets]
        oracle.stage(self.prepared.workload.name, images[0].layout)
        for image in images:
            self._cover(image, oracle)
        return images

    def _cover(self, image: InputBuffer, oracle: WorkerClient) -> None:
        """Hide an image from GPUs' workers; its layout is staged."""
        if oracle.kind != "cpu":
            seed = secrets.randbits(SEED_BITS)
            oracle.give(self.prepared.workload.name, image)
            image.cover = Mask(seed, oracle.hide(self.prepared.workload.name, image, seed))

    def looked_at(self, number: int, calls: int, few: int | None) -> int:
        """The set of a block of so many calls whose result is looked at.

        Args:
            few: how many of the image come into question, a secret of the run; None: all of them.
        """
        slots = range(self.layout.slots)
        order = self._orders.setdefault(number, self._chance.sample(slots, len(slots)))
        return self._chance.choice([slot for slot in order if slot < calls][:few])

    def call_seeds(self, number: int, slots: Sequence[int]) -> list[int] | None:
        """What torch is seeded with before each call; None where nothing random is drawn."""
        if not self.prepared.nature.draws:
            return None
        return [derived_seed(self._secret, "call", number, slot) for slot in slots]
