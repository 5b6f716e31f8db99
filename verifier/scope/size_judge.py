"""Judging a candidate at other sizes than the workload's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.schema import Candidate
from kernelwright.verifier.correctness.rules import Checker, must_be_right
from kernelwright.verifier.reference.calls import load_again
from kernelwright.verifier.reference.candidates import load_candidate, start_candidate
from kernelwright.verifier.reference.distributions import with_moved_numbers
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.oracle import expect
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.seeds import derived_seed
from kernelwright.verifier.reference.workload import Call, Expected, PreparedWorkload
from kernelwright.verifier.scope.sizes import (
    LEAST_SIZES,
    MOST_ELEMENTS,
    SizeNames,
    elements,
    example_sizes,
    larger,
    resized,
    smaller,
)
from kernelwright.verifier.worker.faults import WorkerFault, Wrong
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker
from kernelwright.verifier.worker.tensor_tree import TensorTree, specs

FAR: tuple[Callable[[float], float], ...] = (lambda n: -n, lambda n: 0.0 * n, lambda n: 8.0 * n)
"""Other numbers than the workload's own."""
Range = Sequence[int | None]
"""Least and most; None: no end."""


def reference_worker(reference: Reference, prepared: PreparedWorkload) -> Instance:
    """Start a worker with the reference's workload loaded, and its inputs in the first slot."""
    client = start_worker(reference.machine, reference.task.limits)
    await_start(client)
    instance = load_again(client, prepared)
    instance.set_inputs(prepared.input_buffer([prepared.example_inputs]))
    return instance


class SizeJudge:
    """A reference and a candidate that are called with inputs of other sizes.

    Use as a context manager. A size at which one of them fails costs its worker; the next call
    starts another.

    Args:
        build: folder of the candidate's build.
        names: each input's sizes, by name where they may change.
    """

    def __init__(
        self,
        reference: Reference,
        live: LiveWorkload,
        candidate: Candidate,
        build: Path,
        names: SizeNames,
    ) -> None:
        self.reference = reference
        self.live = live
        self.prepared = live.perturbed
        self.candidate = candidate
        self.build = build
        self.names = names
        self._oracle: Instance | None = None
        self._own: Instance | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        _end(self._oracle)
        _end(self._own)

    def require_names(self) -> None:
        """Load the candidate with the reference's parameters.

        Raises:
            NotDeliverableError: it has others, or doesn't load; the rule is `renamed-parameters`.
        """
        try:
            self._own = self._candidate_worker()
        except WorkerFault as fault:
            raise NotDeliverableError(fault.reason) from fault

    def is_right(self, sizes: Mapping[str, int]) -> bool:
        """Return whether both take inputs of these sizes and the candidate's values are right.

        Sizes that would take too much memory count as not right.
        """
        wanted = elements(self.prepared.example_inputs, self.names, sizes)
        own = elements(self.prepared.example_inputs, self.names, {})
        if wanted > max(MOST_ELEMENTS, own):
            return False
        seed = derived_seed(self.reference.seed, "size", *sizes.values())
        return self._agree(resized(self.prepared.example_inputs, self.names, sizes, seed), seed)

    def takes_moved_numbers(self) -> bool:
        """Return whether the candidate is right with other Python floats, some tenths away."""
        inputs = self.prepared.example_inputs
        seeds = [derived_seed(self.reference.seed, "number", index) for index in range(LEAST_SIZES)]
        return all(self._agree(with_moved_numbers(inputs, seed), seed) for seed in seeds)

    def takes_far_numbers(self) -> bool:
        """Return whether it is right with floats far away, too: of the other sign, zero, larger."""
        inputs = self.prepared.example_inputs
        return all(self._agree(inputs.with_numbers(far), self.reference.seed) for far in FAR)

    def _agree(self, inputs: TensorTree, seed: int) -> bool:
        prepared = self.prepared._replace(example_inputs=inputs)
        expected = self._expected(prepared, Call(inputs, seed))
        return expected is not None and self._matches(prepared, Call(inputs, seed), expected)

    def _expected(self, prepared: PreparedWorkload, call: Call) -> Expected | None:
        try:
            self._oracle = self._oracle or reference_worker(self.reference, self.prepared)
            return expect(self._oracle, prepared, call)
        except WorkerFault:
            _end(self._oracle)
            self._oracle = None
            return None

    def _matches(self, prepared: PreparedWorkload, call: Call, expected: Expected) -> bool:
        traits = prepared.traits
        checker = Checker(self.live, prepared, self.reference.task.tolerance)
        try:
            own = self._own = self._own or self._candidate_worker()
            if traits.mutates_state:
                own.set_state(prepared.state)
            own.set_inputs(prepared.input_buffer([call.inputs]))
            ran = own.run([0], [call.seed] if traits.uses_rng else None, poison=True)
            result = own.result(ran, 0, specs(expected.values))
            must_be_right(checker.differences(result, expected, coarse=False), "at other sizes")
        except WorkerFault:
            _end(self._own)
            self._own = None
            return False
        except Wrong:
            return False
        return True

    def _candidate_worker(self) -> Instance:
        client = start_candidate(self.reference, self.candidate, self.build)
        await_start(client)
        instance, copied, own = load_candidate(client, self.candidate, self.prepared)
        if copied < own:
            client.process.kill()
            words = "its parameters have other names or shapes than the reference's"
            raise NotDeliverableError(f"renamed-parameters: {words}")
        return instance


def _end(instance: Instance | None) -> None:
    if instance is not None:
        instance.client.process.kill()


def judged_sizes(judge: SizeJudge, ranges: Mapping[str, Range]) -> dict[str, list[int]]:
    """Return sizes at which the candidate is right, in one piece around the workload's own.

    A size with fewer than three of them is left out, and all are if they are wrong together.

    Args:
        ranges: numbers that a size may have for the reference to compute the same.
    """
    if not judge.names:
        return {}
    found = {}
    for name, size in example_sizes(judge.prepared.example_inputs, judge.names).items():
        least, most = ranges.get(name) or (None, None)
        # Export takes all sizes from 2 on as one; whether 1 is like them is judged.
        down = smaller(size, 1 if least is None or least <= 2 else least)
        up = larger(size, most or float("inf"))
        right = [*_until_wrong(judge, name, down), size, *_until_wrong(judge, name, up)]
        if len(right) >= LEAST_SIZES:
            found[name] = sorted(right)
    found = _small_enough(judge, found)
    if len(found) > 1:
        ends = [{name: end(sizes) for name, sizes in found.items()} for end in (min, max)]
        if not all(map(judge.is_right, ends)):
            return {}
    return found


def _small_enough(judge: SizeJudge, found: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return the sizes without the largest ones, until inputs of all the largest can be judged."""
    inputs, sizes = judge.prepared.example_inputs, {name: list(own) for name, own in found.items()}
    most = max(MOST_ELEMENTS, elements(inputs, judge.names, {}))
    own = example_sizes(inputs, judge.names)
    while elements(inputs, judge.names, {name: max(one) for name, one in sizes.items()}) > most:
        widest = max(sizes, key=lambda name: max(sizes[name]) / own[name])
        sizes[widest].remove(max(sizes[widest]))
    return {name: one for name, one in sizes.items() if len(one) >= LEAST_SIZES}


def _until_wrong(judge: SizeJudge, name: str, sizes: Sequence[int]) -> list[int]:
    right = []
    for size in sizes:
        if not judge.is_right({name: size}):
            break
        right.append(size)
    return right
