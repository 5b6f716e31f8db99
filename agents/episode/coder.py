"""The coder with tools: an episode that ends with a file."""

from __future__ import annotations

from functools import partial

from kernelwright.agents.episode.bench import Bench, Misuse
from kernelwright.agents.episode.graph import Episode, Steps
from kernelwright.agents.episode.notes import notes_of
from kernelwright.agents.episode.tools import Toolset, offered
from kernelwright.agents.model.answers import BadAnswer
from kernelwright.agents.model.caller import Caller
from kernelwright.agents.model.coder import acceptable, coder_context, read_source
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.limits import EPISODE_CALLS
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search.stopping import on_plateau
from kernelwright.kernels.runtime import shortened
from kernelwright.prompts.context import Context
from kernelwright.schema import Criteria, ToolStep


def episode_context(view: View, brief: Brief, idea: Idea) -> Context:
    """Return what an episode begins with: the coder's context, answered by tool calls."""
    context = coder_context(view, brief, idea)
    return context.model_copy(update={"tools": True, "edits": False})


def episode_file(view: View, brief: Brief, context: Context, caller: Caller) -> str:
    """Return the complete file that an episode submits.

    Its bench begins with the code that the attempt goes on from.

    Args:
        context: see `episode_context`.

    Raises:
        BudgetExhausted, NoUsableAnswer, InfrastructureError: see `Episode.run`.
    """
    index, parent = view.position, view.parent
    source = shortened(parent.candidate.source) if parent and parent.candidate else ""
    criteria = Criteria(policy=brief.policy)
    with Bench(view.task, brief.machine, criteria, source, brief.one_evaluation) as bench:
        notes = notes_of(brief.machine.device, brief.lessons, view.attempts)
        toolset = Toolset(
            bench, view.task, view.attempts, notes, partial(_require, view=view, brief=brief)
        )
        first = caller.opening(
            "coder",
            context,
            harder=on_plateau(view.attempts),
            tools=offered(toolset.tools()),
        )
        blocks = caller.shown(context).characters()
        episode = Episode(
            ask=lambda request: caller.call(index, "coder", request, blocks),
            first=first,
            read=lambda completion: shortened(read_source(completion, view, brief)),
            bench=bench,
            toolset=toolset,
            steps=Steps(partial(caller.ledger.tool_result, index), partial(_done, caller, index)),
            most_calls=caller.calls_each or EPISODE_CALLS,
        )
        return acceptable(episode.run(), view, brief)


def _done(caller: Caller, index: int, key: str, step: ToolStep) -> ToolStep:
    """Keep a step with the place of the call that asked for it, which is the last one."""
    placed = step.model_copy(update={"call": caller.coder_calls(index) - 1})
    return caller.ledger.tool_done(index, key, placed)


def _require(source: str, view: View, brief: Brief) -> None:
    """Raise Misuse where a file is not worth a verdict."""
    try:
        acceptable(source, view, brief)
    except BadAnswer as bad:
        raise Misuse(bad.problem) from bad
