"""Random prices, latencies and numbers of parallel callers against a budget."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kernelwright.agents.model.budget import ROUNDING_USD, Budget
from kernelwright.agents.model.caller import Caller
from kernelwright.agents.model.ledger import Ledger
from kernelwright.agents.model.limits import MOST_TOKENS
from kernelwright.agents.proposer import BudgetExhausted
from kernelwright.config import Allowance
from kernelwright.errors import ProviderError
from kernelwright.llm.base import LLM, Request
from kernelwright.llm.openai_chat import OpenAIChat
from kernelwright.llm.prices import cost_usd, most_usage, price_lists
from kernelwright.prompts.context import Context, Role, ShownCode
from kernelwright.prompts.render import render
from kernelwright.schema import Usage
from kernelwright.store.store import Store, open_store
from tests.agents.model_kit import TASK, loopback_server
from tests.llm.conftest import QUICK, openai_hosted
from tests.llm.loopback import Asked, Loopback, Reply, openai_answer, openai_usage
from tests.store import samples

MODELS = tuple(price_lists()["openai"].models)
LONGEST_LATENCY_S = 0.004
ROLE: Role = "profiler"
MAX_TOKENS = MOST_TOKENS[ROLE]
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


class Biller:
    """A provider that answers late and bills random numbers of tokens; some it does not tell.

    Some answers never arrive, and are billed all the same.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self.billed = Usage.zero()
        self.calls = 0

    def __call__(self, asked: Asked) -> Reply:
        chance = self._chance
        time.sleep(chance.uniform(0, LONGEST_LATENCY_S))
        texts = [str(message["content"]) for message in asked.body["messages"]]
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
        return openai_answer("answer", usage=usage)


@contextmanager
def billing(folder: Path) -> Iterator[tuple[Loopback, Store]]:
    """Yield a server, and a store for the ledgers of all schedules."""
    with loopback_server() as server, open_store(folder / "schedules.db") as store:
        yield server, store


def played(server: Loopback, store: Store, seed: int) -> Outcome:
    """Play one schedule: every caller asks until the budget says no."""
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
    caller = Caller({ROLE: llm}, budget, Ledger(store, run_id, TASK.id))

    def ask(attempt: int) -> None:
        try:
            caller.ask(attempt, ROLE, _context(f"{attempt} {prompt}"), lambda completion: True)
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
