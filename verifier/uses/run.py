"""The uses of one run: what the reference gives in them, kept from candidate to candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.seeds import derived_seed
from kernelwright.verifier.uses.expected import ExpectedUses


class RunUses:
    """The reference's side of the uses, for all candidates of a run."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._known: dict[tuple[str, bool, bool], ExpectedUses] = {}

    @contextmanager
    def expected(
        self, workloads: Sequence[LiveWorkload]
    ) -> Iterator[Callable[[bool, bool], ExpectedUses]]:
        """Yield what the uses of one workload give.

        It is called with whether parameters are the judge's own, and whether inputs may be smaller.
        That is the smallest workload that models are shown, as reasons speak of its sizes.
        """
        shown = [one for one in workloads if one.prepared.workload.role != "hidden"] or workloads
        small = min(shown, key=lambda one: one.prepared.call_bytes)
        with ExitStack() as open_ones:

            def choose(with_own: bool, may_trim: bool) -> ExpectedUses:
                found = self._of(small, with_own, may_trim)
                return open_ones.enter_context(found)

            yield choose

    def _of(self, live: LiveWorkload, with_own: bool, may_trim: bool) -> ExpectedUses:
        key = live.name, with_own, may_trim
        if key not in self._known:
            reference = self._reference
            prepared = live.perturbed if with_own else live.prepared
            seed = derived_seed(reference.seed, "uses")
            self._known[key] = ExpectedUses(
                reference.task, reference.machine, prepared, seed, may_trim
            )
        return self._known[key]
