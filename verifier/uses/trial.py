"""The trial of a candidate's uses, in a worker of its own that is started again after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from kernelwright.delivery.guarded import is_guarded
from kernelwright.schema import Candidate, Level, ToleranceName, UseOutcome, UseResult
from kernelwright.verifier.reference.candidates import new_instance
from kernelwright.verifier.uses.catalogue import ALL, USES, Use, uses_at
from kernelwright.verifier.uses.expected import ExpectedUse, ExpectedUses, Variant
from kernelwright.verifier.uses.outcome import Outcome, wrong_form, wrong_values
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start
from kernelwright.verifier.worker.tensor_tree import TensorTree

# From the one that says most about a use to the one that says least.
ORDER: tuple[UseOutcome, ...] = ("crashes", "wrong", "raises", "falls-back", "not-tried", "same")
MOST_NAMES = 3
NO_TIME = "no time was left"
PLAIN = "inference-mode"
"""The use that is a usual call."""
OWN_STREAM = "it draws other random numbers than the reference"


class Tried(NamedTuple):
    """The findings of a trial."""

    results: tuple[UseResult, ...]
    renamed: str | None
    """Words on the names of parameters and buffers that differ from the reference's."""


class Trial:
    """A trial of one candidate.

    Args:
        expected: by the parameters that a candidate can get (those of the judge where names and
            shapes are the reference's, else those of the constructor), and by whether large inputs
            may be made smaller.
        start: starts a worker for the candidate.
        budget_s: seconds for the candidate. Those that the reference takes come on top, at most
            as many again.
    """

    def __init__(
        self,
        expected: Callable[[bool, bool], ExpectedUses],
        start: Callable[[], WorkerClient],
        candidate: Candidate,
        tolerance: ToleranceName,
        level: Level,
        budget_s: float,
    ) -> None:
        self._choose = expected
        self._may_trim = True
        self._expected = expected(True, True)
        self._start_worker = start
        self._candidate = candidate
        self._tolerance: ToleranceName = tolerance
        self._level: Level = level
        self._budget_s = budget_s
        self._instance: Instance | None = None
        self._loads = True
        self._renamed: str | None = None

    def run(self) -> Tried:
        """Try all uses of the level.

        Raises:
            WorkerFault: the candidate does not load.
        """
        try:
            try:
                self._expected.plan()
            except WorkerFault as fault:
                words = f"no plan could be made: {_line(fault.reason)}"
                uses = [use.name for use in uses_at(self._level)]
                return Tried(tuple(_result(use, "not-tried", words) for use in uses), None)
            self._start()
            self._stay_inside()
            return Tried(tuple(self._results()), self._renamed)
        finally:
            self._end()

    def _end(self) -> None:
        if self._instance is not None:
            self._instance.client.process.kill()
            self._instance = None

    def _start(self) -> Instance:
        """Start a worker, and give the candidate what its uses start from."""
        client = self._start_worker()
        await_start(client)
        expected = self._expected
        instance = self._instance = new_instance(client, self._candidate, expected.prepared)
        own = expected.give(instance, expected.plan(), self._loads)
        tensors = expected.prepared.state.unpacked()
        state = {name: list(value.shape) for name, value in tensors.items()}
        if self._loads and own != state:
            # It has those of KernelBench's seed, and so has the reference from here on.
            self._loads, self._renamed = False, _renamed(own, state)
            self._expected = self._choose(False, self._may_trim)
            self._expected.give(instance, self._expected.plan(), False)
        return instance

    def _stay_inside(self) -> None:
        """Have uses with the workload's own sizes if smaller ones are outside a guard's scope.

        Behind a guard they would show the original forward alone.
        """
        expected = self._expected
        plain = [one for one in expected.plan().variants if one.use == PLAIN]
        if (
            not expected.plan().options["trims"]
            or not plain
            or not is_guarded(self._candidate.source)
        ):
            return
        instance = self._instance or self._start()
        try:
            falls_back = instance.use(PLAIN, plain[0].parameters).fell_back
        except WorkerFault:  # found again, and told, where that use is tried
            self._end()
            return
        if falls_back:
            self._may_trim = False
            self._expected = self._choose(self._loads, False)
            self._expected.plan()
            self._end()

    def _results(self) -> Iterator[UseResult]:
        wanted = {use.name for use in uses_at(self._level)}
        order = {use.name: place for place, use in enumerate(ALL)}
        variants = enumerate(self._expected.plan().variants)
        known = sorted(variants, key=lambda one: order[one[1].use])
        start, before = time.monotonic(), self._expected.seconds
        for name, group in groupby(known, key=lambda one: one[1].use):
            use = USES[name]
            if name not in wanted or (use.is_racy and self._is_a_matter_of_luck):
                continue
            found: list[Outcome] = []
            for index, variant in group:
                took = self._expected.seconds - before
                if time.monotonic() - start > self._budget_s + min(took, self._budget_s):
                    found.append(Outcome("not-tried", NO_TIME))
                    break
                found += self._tried(use, index, variant)
                if found and found[-1].outcome == "crashes":
                    break
            if found:
                yield _result(name, *_worst(found))

    @property
    def _is_a_matter_of_luck(self) -> bool:
        traits = self._expected.prepared.traits
        return traits.uses_rng or traits.mutates_state

    def _tried(self, use: Use, index: int, variant: Variant) -> list[Outcome]:
        """Return the outcome of a variant; empty where it says nothing."""
        expected = self._expected.expected(index)
        if expected is None:
            return []
        instance = self._instance or self._start()
        try:
            reply = instance.use(use.name, variant.parameters, timeout_s=use.timeout_s)
            if reply.died:
                return [Outcome("crashes", _detail(variant, reply.error or "a process died"))]
            if expected.error is not None:
                if reply.error is None and variant.refuses:
                    words = f"accepts what the reference refuses ({expected.error})"
                    return [Outcome("wrong", _detail(variant, words))]
                return [Outcome("same")] if variant.refuses else []
            if reply.error is not None:
                return [Outcome("raises", _detail(variant, reply.error))]
            found = wrong_form(reply, expected, use.name == "autocast")
            found = found or self._wrong_values(use, expected, instance.used(reply))
        except WorkerFault as fault:
            self._end()
            return [Outcome("crashes", _detail(variant, _line(fault.reason)))]
        if found and _draws_others(reply.streams, expected.streams):
            return [Outcome("not-tried", _detail(variant, OWN_STREAM))]
        if found:
            return [Outcome("wrong", _detail(variant, found))]
        return [Outcome("falls-back" if reply.fell_back else "same")]

    def _wrong_values(self, use: Use, expected: ExpectedUse, own: TensorTree) -> str | None:
        return wrong_values(own, expected, self._tolerance, use.is_lossy)


def _draws_others(own: Sequence[int], reference: Sequence[int]) -> bool:
    """Return whether both draw random numbers, and not the same: the streams end elsewhere."""
    pairs = zip(own, reference, strict=False)
    return any(left and right and left != right for left, right in pairs)


def _worst(found: Sequence[Outcome]) -> Outcome:
    return min(found, key=lambda one: ORDER.index(one.outcome))


def _result(use: str, outcome: UseOutcome, detail: str | None) -> UseResult:
    return UseResult(use=use, outcome=outcome, detail=detail)


def _detail(variant: Variant, words: str) -> str:
    return f"{variant.words}: {words}" if variant.words else words


def _line(reason: str) -> str:
    """Return the first line of a reason, or the last one where the first announces it."""
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()]
    return (lines[0] if len(lines) == 1 or "printed" in lines[0] else lines[-1])[:200]


def _renamed(own: Mapping[str, list[int]], reference: Mapping[str, list[int]]) -> str:
    missing = [name for name in reference if own.get(name) != reference[name]]
    others = [name for name in own if name not in reference]
    words = []
    if missing:
        words.append(f"it has no {', '.join(map(repr, missing[:MOST_NAMES]))}")
    if others:
        words.append(f"the reference has no {', '.join(map(repr, others[:MOST_NAMES]))}")
    return "; ".join(words) + ": the reference's state dict can't be loaded"
