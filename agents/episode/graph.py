"""An episode as a LangGraph: answer -> tools -> told -> answer, until a file is submitted.

The ledger makes it exact: answers and results of tools are on disk before they are used, and an
episode that is continued goes through them again, without asking or running anything twice. So it
needs no checkpoints of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest, ToolInvocationError

from kernelwright.agents.episode.bench import Bench, Misuse, Seen
from kernelwright.agents.episode.tools import CHANGES, PAGE, SUBMIT, Toolset
from kernelwright.agents.model.answers import BadAnswer
from kernelwright.agents.model.caller import NO_ANSWER
from kernelwright.agents.model.limits import EPISODE_CALLS, MORE_TRIES
from kernelwright.agents.model.words import beginning
from kernelwright.agents.proposer import BudgetExhausted, NoUsableAnswer
from kernelwright.errors import InfrastructureError, NoToolsError, ProviderError
from kernelwright.llm.base import Completion, Request
from kernelwright.llm.parts import json_of_whole_characters
from kernelwright.schema import Message, TextPart, ToolCall, ToolResult, ToolStep, digest

RECURSION_LIMIT = 10_000
NOT_JSON = "the arguments are no JSON object: {problem}. Nothing was done."
CUT_OFF = "your answer was cut off by its limit on tokens; nothing was done. Use edit, in steps."
FAILED = (
    "this tool failed, through no fault of the file: {}. What is submitted is judged elsewhere."
)
NO_CALL = "That was no tool call and no file. Call a tool, or answer with the whole file."


class State(TypedDict, total=False):
    """The state between two steps."""

    request: Request
    calls: tuple[ToolCall, ...]
    """The last answer's."""
    refused: dict[str, str]
    """Errors of calls that can't be made, by the place of the call."""
    messages: list[AnyMessage]
    """The last answer's calls for ToolNode, then their results."""
    silent: int
    """Answers in a row that called nothing."""
    submitted: str | None


class Steps(NamedTuple):
    """The journal of an episode's tools, both functions by the key of a call."""

    known: Callable[[str], ToolStep | None]
    done: Callable[[str, ToolStep], ToolStep]
    """Keeps a step, and returns the one that is kept: the first one with its key."""


class Episode:
    """One episode; `run` it once.

    Args:
        ask: sends a request, or gives its stored answer. Raises BudgetExhausted and ProviderError.
        first: the request to begin with, tools included.
        read: takes a file out of an answer that called no tool. Raises BadAnswer.
    """

    def __init__(
        self,
        ask: Callable[[Request], Completion],
        first: Request,
        read: Callable[[Completion], str],
        bench: Bench,
        toolset: Toolset,
        steps: Steps,
        most_calls: int = EPISODE_CALLS,
    ) -> None:
        self._ask = ask
        self._first = first
        self._read = read
        self._bench = bench
        self._toolset = toolset
        self._steps = steps
        self._most_calls = most_calls
        self._asked = 0
        self._question = ""
        self._tokens = 0
        self._seconds = 0.0
        self._best: Seen | None = None
        self._submitted: str | None = None

    def run(self) -> str:
        """Return the file that was submitted, as it was written.

        Where the budget ends before, the model gives up or its provider fails for good, that is the
        fastest one that was seen to be right and may be submitted.

        Raises: where there is none,
            BudgetExhausted: the budget ended.
            NoUsableAnswer: the model called no tool and wrote no file.
            NoToolsError: the server refuses the very first request because of its tools.
            InfrastructureError: the provider failed for good.
        """
        start = State(request=self._first, silent=0, submitted=None)
        # One after the other: each tool sees what the one before has left.
        config: Any = {"recursion_limit": RECURSION_LIMIT, "max_concurrency": 1}
        try:
            submitted = self._graph().invoke(start, config)["submitted"]
        except (BudgetExhausted, NoUsableAnswer, ProviderError):
            if self._best is None:
                raise
            submitted = self._best.source
        return str(submitted)

    def _graph(self) -> Any:
        tools = ToolNode(
            self._toolset.tools(), handle_tool_errors=_words, wrap_tool_call=self._journaled
        )
        graph = StateGraph(State)
        graph.add_node("answer", self.answer)
        graph.add_node("tools", tools)
        graph.add_node("told", self.told)
        graph.add_edge(START, "answer")
        graph.add_conditional_edges("answer", _after_answer, ["tools", "told", "answer", END])
        graph.add_edge("tools", "told")
        graph.add_conditional_edges("told", _after_told, ["answer", END])
        return graph.compile(checkpointer=False)

    def answer(self, state: State) -> State:
        """Ask the model; read its calls, or the file of an answer that calls nothing."""
        if self._asked >= self._most_calls:
            words = f"the episode's {self._most_calls} calls are used"
            raise BudgetExhausted(words, scope="attempt")
        self._question = state["request"].key
        try:
            completion = self._ask(state["request"])
        except NoToolsError as error:
            if self._asked == 0:
                raise
            # It took them before: what it refuses is something else, the prompt's length perhaps.
            raise ProviderError(error.message, error.hint) from error
        self._asked += 1
        usage = completion.usage
        self._tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        request = _longer(state["request"], _said(completion))
        if not completion.tool_calls:
            return self._without_calls(completion, request, state["silent"])
        refused, wanted = {}, []
        for place, call in enumerate(completion.tool_calls):
            arguments = _arguments(call, completion.stop == "max_tokens")
            if isinstance(arguments, str):
                refused[str(place)] = arguments
            else:
                wanted.append({"name": call.name, "args": arguments, "id": str(place)})
        message = AIMessage("", tool_calls=wanted)
        return State(
            request=request,
            calls=completion.tool_calls,
            refused=refused,
            messages=[message] if wanted else [],
            silent=0,
        )

    def _without_calls(self, completion: Completion, request: Request, silent: int) -> State:
        try:
            return State(submitted=self._read(completion))
        except BadAnswer as bad:
            if silent >= MORE_TRIES:
                raise NoUsableAnswer(bad.problem) from bad
            told = Message(role="user", content=f"{bad.problem} {NO_CALL}")
            return State(request=_longer(request, told), calls=(), messages=[], silent=silent + 1)

    def told(self, state: State) -> State:
        """Add the results to the conversation, and what the episode has cost so far."""
        found = {m.tool_call_id: m for m in state["messages"] if isinstance(m, ToolMessage)}
        results = []
        for place, call in enumerate(state["calls"]):
            done = found.get(str(place))
            text = state["refused"].get(str(place)) if done is None else str(done.content)
            is_error = done is None or done.status == "error"
            results.append(ToolResult(call_id=call.id, text=text or "", is_error=is_error))
            if call.name == SUBMIT and not is_error:
                return State(submitted=self._submitted)
        cost = TextPart(
            text=f"[{self._asked} of {self._most_calls} calls, {self._tokens:,} tokens, "
            f"{self._seconds:.1f} s of tools]"
        )
        message = Message(role="user", content=(*results, cost))
        return State(request=_longer(state["request"], message))

    def _journaled(
        self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Any]
    ) -> ToolMessage:
        """Run a tool, or give the result that it had; a file that is changed is changed again."""
        call = request.tool_call
        if self._submitted is not None:  # the file is the judge's, whatever else was called
            return ToolMessage("", tool_call_id=call["id"], status="error")
        arguments = json.dumps(call["args"])
        # An attempt may have another episode, with the same calls, to repair its file.
        key = digest([self._question, call["id"], call["name"], arguments])
        step = self._steps.known(key)
        if step is None or step.name in CHANGES:
            started = time.monotonic()
            self._toolset.seen = None
            message = execute(request)
            seen = self._toolset.seen
            ran = ToolStep(
                name=call["name"],
                arguments=arguments,
                result=beginning(str(message.content), PAGE),
                is_error=message.status == "error",
                seconds=round(time.monotonic() - started, 3),
                right=None if seen is None else True,
                speedup=None if seen is None else seen.speedup,
            )
            if step is None:
                step = self._steps.done(key, ran)
        self._seconds += step.seconds
        self._note(step)
        if step.name == SUBMIT and not step.is_error:
            self._submitted = self._bench.source
        return ToolMessage(
            step.result,
            name=step.name,
            tool_call_id=call["id"],
            status="error" if step.is_error else "success",
        )

    def _note(self, step: ToolStep) -> None:
        """Keep the file as it is now, if a tool has seen that it is right, and none is faster.

        One that can't be submitted, the file that the episode began with say, is not kept.
        """
        if step.right and self._toolset.refusal() is None:
            best = -1.0 if self._best is None else self._best.speedup or 0.0
            if (step.speedup or 0.0) >= best:
                self._best = Seen(self._bench.source, step.speedup)


def _said(completion: Completion) -> Message:
    """Return an answer as a message; providers take none that is empty."""
    if completion.parts or completion.text.strip():
        return completion.message
    return Message(role="assistant", content=NO_ANSWER)


def _longer(request: Request, *more: Message) -> Request:
    return request.model_copy(update={"messages": (*request.messages, *more)})


def _arguments(call: ToolCall, was_cut_off: bool) -> dict[str, Any] | str:
    """Return a call's arguments, or why there are none."""
    try:
        found = json.loads(json_of_whole_characters(call.arguments or "{}"))
    except (ValueError, RecursionError) as error:
        return CUT_OFF if was_cut_off else NOT_JSON.format(problem=error)
    return found if isinstance(found, dict) else NOT_JSON.format(problem=type(found).__name__)


def _words(error: Exception) -> str:
    """Return what a model is told of a call that makes no sense, or that we could not carry out.

    All else is raised again.
    """
    if isinstance(error, Misuse):
        return str(error)
    if isinstance(error, ToolInvocationError):
        return error.message
    if isinstance(error, InfrastructureError):
        return FAILED.format(error.message)
    raise error


def _after_answer(state: State) -> str:
    if state.get("submitted") is not None:
        return END
    if not state["calls"]:
        return "answer"
    return "tools" if state["messages"] else "told"


def _after_told(state: State) -> str:
    return END if state.get("submitted") is not None else "answer"
