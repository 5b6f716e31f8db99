"""A scripted model behind a loopback provider, and verdicts made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kernelwright.agents.model.budget import Budget
from kernelwright.agents.model.caller import Asking, Caller
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.ledger import Ledger
from kernelwright.agents.model.proposer import ModelProposer
from kernelwright.agents.proposer import View
from kernelwright.agents.search.greedy import Greedy
from kernelwright.config import Allowance
from kernelwright.llm.base import LLM
from kernelwright.prompts.context import Block, Role
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Attempt, ModelCall, Move, Status, Task, Workload
from kernelwright.store.store import open_store
from tests.llm.conftest import Hosted
from tests.llm.loopback import Asked, Loopback, Reply, openai_usage
from tests.store import samples

BACKENDS = ("cpp", "inductor")
SHOWN = Workload(name="default", role="bench", overrides={"batch_size": 4})
HIDDEN = Workload(name="odd_sizes", role="hidden", overrides={"batch_size": 7919})
TASK = Task(
    id="made/rms",
    source=samples.REFERENCE,
    workloads=(SHOWN, HIDDEN),
    category="normalization",
)
PLAN = (
    '{"ideas": ["one pass"], "chosen": '
    '{"change": "Fuse into one pass.", "backend": "cpp", "expected_speedup": 2}}'
)
BRIEF = Brief(Machine(ProcessSandbox(), 2, "cpu"))
RICH, FREE = Allowance(usd=50.0), Allowance()
FRESH = Move()
DIAGNOSIS = '{"bottleneck": "two passes", "evidence": "line 3", "fix": "one pass"}'


def file(variant: object) -> str:
    """Return a candidate that is never run."""
    return (
        f"import ctypes\n\nfrom torch import nn\n\nVARIANT = {variant!r}\n\n\n"
        "class ModelNew(nn.Module):\n    def forward(self, x):\n        return VARIANT\n"
    )


def block(source: str) -> str:
    """Return the file as a model sends it."""
    return f"Here it is.\n\n```python\n{source}```\n"


class Stage:
    """A proposer on a loopback model, with everything it does on record.

    Opened again on the same store, it goes on like a new process.
    """

    def __init__(
        self,
        hosted: Hosted,
        folder: Path,
        llm: LLM | None = None,
        run: Allowance = RICH,
        each: Allowance = FREE,
        without: tuple[Block, ...] = (),
        task: Task = TASK,
        brief: Brief = BRIEF,
        uses_tools: bool = False,
    ) -> None:
        self.hosted = hosted
        self.notes: list[str] = []
        """The words that the user was told."""
        self.store = open_store(folder / "stage.db")
        if not self.store.list_runs(None):
            self.store.add_run(samples.run())
        self.store.add_task(samples.RUN_ID, task)
        self.budget = Budget(run)
        ledger = Ledger(self.store, samples.RUN_ID, task.id)
        model = llm or hosted.llm
        by_role: dict[Role, LLM] = {"planner": model, "coder": model, "profiler": model}
        own = self.budget.inner("task", FREE)
        lost = self.store.lost_usage(samples.RUN_ID, task.id)
        self.caller = Caller(by_role, own, ledger, Asking(each, without), self.calls, lost)
        self.proposer = ModelProposer(self.caller, brief, uses_tools, self.notes.append)

    @property
    def calls(self) -> list[ModelCall]:
        """The stored calls."""
        return self.store.model_calls_of(samples.RUN_ID)

    def script(self, *texts: str | Reply) -> None:
        """Answer with these in turn."""
        self.hosted.loopback.script(*(self._reply(text) for text in texts))

    def _reply(self, text: str | Reply) -> Reply:
        usage = self.hosted.usage(1000, 100)
        return text if isinstance(text, Reply) else self.hosted.answer(text, usage=usage)

    @property
    def asked(self) -> list[Asked]:
        """The requests that arrived."""
        return self.hosted.loopback.asked

    def last_word(self) -> str:
        """Return the last message of the last request."""
        return str(self.asked[-1].body["messages"][-1]["content"])


def by_role(hosted: Hosted, **answers: list[str]) -> None:
    """Answer every role from its own list, the last one forever; with a price of 0.0035 dollars."""
    waiting = {role: list(texts) for role, texts in answers.items()}

    def respond(asked: Asked) -> Reply:
        texts = waiting[role_of(asked)]
        text = texts.pop(0) if len(texts) > 1 else texts[0]
        return hosted.answer(text, usage=openai_usage(1000, 100))

    hosted.loopback.respond = respond


def role_of(asked: Asked) -> str:
    """Return the role that is asked, by the system prompt."""
    said = asked.body.get("messages") or asked.body["input"]
    first = asked.body["system"][0]["text"] if "system" in asked.body else said[0]["content"]
    starts = {"You plan": "planner", "You write": "coder", "You find": "profiler"}
    return next(role for start, role in starts.items() if str(first).startswith(start))


def view(*attempts: Attempt, **changes: Any) -> View:
    """Return the view that a greedy search shows after these attempts."""
    (move,) = Greedy().choose(attempts, 1, 0)
    shown = View(TASK, len(attempts), move, attempts, BACKENDS)
    return shown._replace(**changes)


def attempt(
    index: int,
    source: str,
    eager: float | None = 2.0,
    *,
    plan: str = "a plan",
    move: Move = FRESH,
    diagnosis: str = "",
    **verdict: Any,
) -> Attempt:
    """Return an evaluated attempt; `eager` None is a failure unless a status says otherwise."""
    made = samples.candidate(source)
    status = verdict.pop("status", Status.PASSED if eager else Status.RUNTIME_ERROR)
    evaluation = samples.evaluation(made, eager, status=status, for_task=TASK, **verdict)
    return samples.attempt(
        index, made, evaluation=evaluation, plan=plan, move=move, diagnosis=diagnosis
    )


@contextmanager
def loopback_server() -> Iterator[Loopback]:
    """Yield a server for one test."""
    server = Loopback()
    try:
        yield server
    finally:
        server.close()
