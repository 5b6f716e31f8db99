"""Opening the proposer that a run's settings name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.offline.trace import trace
from kernelwright.agents.proposer import Proposer
from kernelwright.config import OFFLINE
from kernelwright.schema import ModelCall, Task
from kernelwright.verifier.reference import Reference


def proposer_factory(
    model: str,
    *,
    seed: int,
    budget_usd: float,
    record: Callable[[Task, ModelCall], None],
    earlier: Sequence[ModelCall] = (),
) -> Callable[[Task, Reference], Proposer]:
    """How to make a proposer for each task of a run.

    Args:
        model: `offline`, or a language model's name.
        record: stores a model call before its answer is used.
        earlier: calls of the run so far, where it is continued; they count against the budget.

    Raises:
        UsageError, PrerequisiteError: the model is unknown, or its key is missing.
    """
    if model == OFFLINE:
        return lambda task, reference: OfflineProposer(task, lambda: trace(reference), seed)
    # Not needed offline, and the providers' SDKs take seconds to import.
    from kernelwright.agents.model.budget import Budget
    from kernelwright.agents.model.proposer import ModelProposer
    from kernelwright.llm.registry import open_model

    llm = open_model(model)
    budget = Budget(budget_usd)
    for call in earlier:
        budget.add(call.usage)

    def make(task: Task, reference: Reference) -> Proposer:
        machine = reference.machine
        return ModelProposer(llm, machine, budget, lambda call: record(task, call), seed)

    return make
