"""Random prices, latencies and numbers of parallel callers against a budget."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.agents.model.budget import ROUNDING_USD, Budget
from kernelwright.agents.model.caller import Asking, Caller
from kernelwright.agents.model.ledger import Ledger
from kernelwright.agents.model.limits import MOST_TOKENS
from kernelwright.agents.model.proposer import ModelProposer
from kernelwright.agents.proposer import BudgetExhausted, Idea, View
from kernelwright.config import Allowance
from kernelwright.errors import ProviderError
from kernelwright.llm.base import LLM, Request
from kernelwright.llm.openai_chat import OpenAIChat
from kernelwright.llm.prices import cost_usd, most_usage, price_lists
from kernelwright.prompts.context import Context, Role, ShownCode
from kernelwright.prompts.render import render
from kernelwright.schema import ToolCall, Usage
from kernelwright.store.store import Store, open_store
from tests.agents.model_kit import BACKENDS, BRIEF, FRESH, TASK, file, loopback_server
from tests.llm.conftest import QUICK, openai_hosted
from tests.llm.loopback import (
    Asked,
    Loopback,
    Reply,
    openai_answer,
    openai_calling,
    openai_usage,
)
from tests.store import samples

MODELS = tuple(price_lists()["openai"].models)
LONGEST_LATENCY_S = 0.004
ROLE: Role = "profiler"
MAX_TOKENS = MOST_TOKENS[ROLE]
ARGUMENTS: dict[str, dict[str, object]] = {
    "write_file": {"source": file("x" * 900)},
    "edit": {"old": "import ctypes", "new": "import ctypes\nimport math"},
    "search_notes": {"query": "vector memory cache"},
    "show_attempt": {},
    "submit": {},
}
"""Arguments of tools that need no worker."""
LOST = 0.1
"""Share of answers that are lost when the connection breaks."""


class Outcome(NamedTuple):
    """The provider's bill for one schedule."""

    billed_usd: float
    limit_usd: float
    calls: int

    @property
    def is_overshot(self) -> bool:
        """Whether more was billed than allowed."""
        return self.billed_usd > self.limit_usd + ROUNDING_USD


Work = Callable[[Caller, int, str], object]
"""Asks something for an attempt. Takes a text that makes prompts long."""


def questions(caller: Caller, attempt: int, prompt: str) -> object:
    """Ask one question."""
    return caller.ask(attempt, ROLE, _context(f"{attempt} {prompt}"), lambda completion: True)


def episodes(caller: Caller, attempt: int, prompt: str) -> object:
    """Go through an episode, whose tools need no worker."""
    task = TASK.model_copy(update={"source": f"# {prompt}\n{TASK.source}"})
    view = View(task, attempt, FRESH, (), BACKENDS)
    idea = Idea(text=f"Plan {attempt}.", backend="cpp")
    return ModelProposer(caller, BRIEF, uses_tools=True).code(view, idea)


class Biller:
    """A provider that answers late and bills random numbers of tokens; some it does not tell.

    Some answers never arrive, and are billed all the same. Where it is offered tools, it calls some
    at random.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self.billed = Usage.zero()
        self.calls = 0

    def __call__(self, asked: Asked) -> Reply:
        chance = self._chance
        time.sleep(chance.uniform(0, LONGEST_LATENCY_S))
        tools = asked.body.get("tools") or ()
        texts = [_text(message) for message in asked.body["messages"]] + [*map(json.dumps, tools)]
        shown = round(sum(len(text.encode()) for text in texts) * chance.uniform(0.2, 1.0))
        said = round(MAX_TOKENS * chance.choice([chance.random(), 1.0]))
        model = f"openai/{asked.body['model']}"
        cost = cost_usd(model, shown, said)
        with self._lock:
            self.billed += Usage(input_tokens=shown, output_tokens=said, cost_usd=cost)
            self.calls += 1
        usage = None if chance.random() < 0.1 else openai_usage(shown, said)
        if chance.random() < LOST:
            return Reply(fault="reset")
        if not tools:
            return openai_answer("answer", usage=usage)
        reply = openai_calling(list(self._calls()))
        assert isinstance(reply.body, dict)
        if usage is not None:
            reply.body["usage"] = usage
        return reply

    def _calls(self) -> Iterator[ToolCall]:
        """Yield the calls of an answer, some of them senseless."""
        for place in range(self._chance.randrange(1, 4)):
            name = self._chance.choice([*ARGUMENTS, "fly"])
            given = json.dumps(ARGUMENTS.get(name, {}))
            yield ToolCall(id=f"call-{place}", name=name, arguments=given)


@contextmanager
def billing(folder: Path) -> Iterator[tuple[Loopback, Store]]:
    """Yield a server, and a store for the ledgers of all schedules."""
    with loopback_server() as server, open_store(folder / "schedules.db") as store:
        yield server, store


def played(server: Loopback, store: Store, seed: int, work: Work = questions) -> Outcome:
    """Play one schedule: every caller works until the budget says no."""
    chance = random.Random(seed)
    biller = Biller(random.Random(seed))
    server.respond = biller
    model = chance.choice(MODELS)
    llm = _client(server, model)
    prompt = "x" * chance.randrange(100, 20_000)
    shown = render(ROLE, _context(prompt))
    worst = most_usage(llm.name, Request(messages=shown, max_tokens=MAX_TOKENS)).cost_usd or 0.0
    limit_usd = worst * chance.uniform(0.5, 6.0)
    run_id = f"schedule-{seed}"
    store.add_run(samples.run(run_id))
    store.add_task(run_id, TASK)
    budget = Budget(Allowance(usd=limit_usd))
    asking = Asking(answer_tokens=MAX_TOKENS)
    models: dict[Role, LLM] = {ROLE: llm, "coder": llm}
    caller = Caller(models, budget, Ledger(store, run_id, TASK.id), asking)

    def ask(attempt: int) -> None:
        try:
            work(caller, attempt, prompt)
        except BudgetExhausted:
            return
        except ProviderError:
            pass  # every try was lost
        ask(attempt + 100)

    callers = chance.randrange(1, 9)
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(ask, range(callers)))
    return Outcome(biller.billed.cost_usd or 0.0, limit_usd, biller.calls)


def _client(server: Loopback, model: str) -> LLM:
    hosted = openai_hosted(server).llm
    assert isinstance(hosted, OpenAIChat)
    return OpenAIChat(f"openai/{model}", model, hosted._endpoint, QUICK)


def _text(message: dict[str, Any]) -> str:
    calls = message.get("tool_calls")
    return str(message["content"] or "") + (json.dumps(calls) if calls else "")


def _context(text: str) -> Context:
    code = ShownCode(source="pass")
    return Context(
        reference=text,
        sizes=(),
        accuracy="",
        precision="",
        timing=(),
        device=(),
        backends=("cpp",),
        code=code,
    )
