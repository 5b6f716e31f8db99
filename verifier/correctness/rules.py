"""The rules for results: values and memory, compared with the reference's on the same inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.schema import Flag, Status, ToleranceName
from kernelwright.verifier.correctness.places import Places
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.rule import RuleId
from kernelwright.verifier.reference.distributions import COARSE
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.workload import (
    Case,
    Expected,
    PreparedWorkload,
    ReferenceTraits,
)
from kernelwright.verifier.tolerance import Difference, compare
from kernelwright.verifier.worker.faults import Wrong
from kernelwright.verifier.worker.outputs import RunReply, overlapping, overlaps_itself
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_tree


def refused(rule: RuleId, evidence: str) -> Wrong:
    """Return the exception that ends an evaluation by an integrity rule."""
    return refused_by(flag(rule, evidence))


def refused_by(found: Flag) -> Wrong:
    """Return the exception that ends an evaluation by a flag that refuses."""
    return Wrong(Status.REWARD_HACK, found.evidence, flags=[found])


class Checker:
    """A comparison of one workload's results with the reference's.

    Args:
        live: the workload.
        prepared: the same with the parameters that the results come from.
        tolerance: the task's.
    """

    def __init__(
        self, live: LiveWorkload, prepared: PreparedWorkload, tolerance: ToleranceName
    ) -> None:
        self.live = live
        self.prepared = prepared
        self.tolerance: ToleranceName = tolerance

    def check(self, case: Case, result: TensorTree) -> list[Difference]:
        """Compare the result of a call; excuse errors that the rounding of inputs explains.

        A difference that is too large says where, but for hidden workloads.
        """
        coarse = case.distribution in COARSE
        found = self.differences(result, case.expected, coarse)
        if _all_right(found):
            return found
        golden, conditioning = case.expected.golden, None
        if golden is not None and self.tolerance == "default":
            conditioning = self.live.conditioning(self.prepared, case.calls, golden)
            found = self.differences(result, case.expected, coarse, conditioning)
        if _all_right(found) or self.prepared.workload.role == "hidden":
            return found
        number = next(i for i, one in enumerate(found) if one.reason is not None)
        own, value = result.tensors[number], case.expected.values.tensors[number]
        places = Places(own, value)
        exact, moved = (_tensor(tree, number) for tree in (golden, conditioning))
        compare(own, value, exact, self.tolerance, coarse, moved, places.add)
        wrong = places.found(self.prepared.workload.name, number, len(found))
        return [*found[:number], found[number]._replace(wrong=wrong), *found[number + 1 :]]

    def differences(
        self,
        result: TensorTree,
        expected: Expected,
        coarse: bool,
        conditioning: TensorTree | None = None,
    ) -> list[Difference]:
        """Compare every tensor; see `compare`. Raises Wrong if results are nested differently."""
        if not same_tree(result, expected.values):
            raise Wrong(Status.INCORRECT_SHAPE, "the outputs are nested in another way")
        nothing = [None] * len(result.tensors)
        goldens = expected.golden.tensors if expected.golden else nothing
        distances = conditioning.tensors if conditioning else nothing
        together = zip(result.tensors, expected.values.tensors, goldens, distances, strict=True)
        return [
            compare(own, value, golden, self.tolerance, coarse, distance)
            for own, value, golden, distance in together
        ]


def _all_right(found: Sequence[Difference]) -> bool:
    return all(difference.reason is None for difference in found)


def _tensor(tree: TensorTree | None, number: int) -> torch.Tensor | None:
    return None if tree is None else tree.tensors[number]


def must_lie_apart(ran: RunReply, traits: ReferenceTraits) -> None:
    """Raise Wrong if results share memory with each other, and the reference's do not."""
    for index, entry in enumerate(ran.entries):
        if overlaps_itself(entry) and not traits.overlaps_itself:
            evidence = f"elements of output {index} share memory (strides {entry['strides']})"
            raise refused("overlapping-output", evidence)
    if overlapping(ran) and not traits.reuses_memory:
        raise refused("result-overwritten", "a result was overwritten by the next call")


def must_be_right(found: Sequence[Difference], where: str) -> None:
    """Raise Wrong if one of the differences is too large."""
    for difference in found:
        if difference.reason is not None:
            reason = f"{where}: {difference.reason}"
            raise Wrong(Status.INCORRECT_NUMERICAL, reason, wrong=difference.wrong)
