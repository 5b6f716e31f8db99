"""The profiler: what it is shown, and its answer, one bottleneck and one fix."""

from __future__ import annotations

from kernelwright.agents.model.answers import Answer
from kernelwright.agents.model.context import Brief, common_context, shown_code
from kernelwright.agents.proposer import View
from kernelwright.agents.search.ranking import best_attempt, eager_speedup
from kernelwright.prompts.context import Context
from kernelwright.schema import Attempt


class Diagnosis(Answer):
    """The profiler's answer."""

    bottleneck: str
    evidence: str
    fix: str

    def __str__(self) -> str:
        return f"Bottleneck: {self.bottleneck}\nEvidence: {self.evidence}\nFix: {self.fix}"


def profiler_context(view: View, attempt: Attempt, brief: Brief) -> Context:
    """Return a context with an attempt, everything measured of it, and the best speedup."""
    context = common_context(view, brief)
    shown = shown_code(view, attempt, brief.machine.device)
    assert shown is not None
    best = best_attempt([*view.attempts, attempt])
    if best is not None and best is not attempt:
        known = f"the best attempt so far: {eager_speedup(best):.2f}x eager"
        shown = shown.model_copy(update={"measured": (*shown.measured, known)})
    return context.model_copy(update={"code": shown})
