"""Proposers made from a run's settings and the models that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kernelwright.agents.proposer import BudgetExhausted, Idea, NoUsableAnswer
from kernelwright.agents.proposer_factory import proposer_factory
from kernelwright.config import Allowance, Settings
from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import Completion
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Message, Usage
from kernelwright.store.files import write_atomically
from kernelwright.store.store import Store, open_store
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.speeds import Speeds, speeds_file
from tests.agents.model_kit import DIAGNOSIS, PLAN, TASK, attempt, block, file, view
from tests.store import samples


class Says:
    """A model that always says the same."""

    def __init__(self, name: str, text: str, cost_usd: float | None = 0.01) -> None:
        self.name = name
        self.text = text
        self.usage = Usage(input_tokens=1, output_tokens=1, cost_usd=cost_usd)

    def complete(self, messages: Sequence[Message], **_: Any) -> Completion:
        """See `LLM.complete`."""
        return Completion(text=self.text, stop="end", usage=self.usage, model=self.name)


def plans() -> Says:
    return Says("made/planner", PLAN)


def tells_no_cost() -> Says:
    return Says("made/free", PLAN, cost_usd=None)


def diagnoses() -> Says:
    return Says("made/profiler", DIAGNOSIS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as opened:
        opened.add_run(samples.run())
        opened.add_task(samples.RUN_ID, TASK)
        yield opened


MACHINE = Machine(ProcessSandbox(), 2, "cpu")
SPEEDS = Speeds(copies={"memory": 12e9}, products={"float32": 140e9})


@pytest.fixture(autouse=True)
def known_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_atomically(speeds_file(MACHINE, Settings().cache_dir), SPEEDS.model_dump_json())


def opened(store: Store, **settings: Any) -> Any:
    reference = cast(Reference, SimpleNamespace(machine=MACHINE))
    return proposer_factory(Settings(**settings), store, samples.RUN_ID)(TASK, reference, print)


def test_each_role_may_have_a_model_of_its_own(store: Store) -> None:
    proposer = opened(store, model=f"{__name__}:plans", profiler_model=f"{__name__}:diagnoses")
    proposer.plan(view())
    proposer.diagnose(view(), attempt(0, file(0)))
    calls = [(call.role, call.model) for call in store.model_calls_of(samples.RUN_ID)]
    assert calls == [("planner", "made/planner"), ("profiler", "made/profiler")]
    for call in store.model_calls_of(samples.RUN_ID):
        assert all(line in call.messages[1].content for line in SPEEDS.words)


def writes_plain_pytorch() -> Says:
    return Says("made/coder", block("class ModelNew: ...\n"))


def test_only_the_policy_custom_refuses_plain_pytorch(store: Store) -> None:
    idea = Idea(text="fuse it", backend="cpp")
    name = f"{__name__}:writes_plain_pytorch"
    made = opened(store, model=name).code(view(), idea)
    assert made.backend == "torch"
    with pytest.raises(NoUsableAnswer, match="backend 'torch'; it must use one of: cpp"):
        opened(store, model=name, policy="custom").code(view(position=1), idea)


def test_a_price_of_ones_own_makes_dollars_count(store: Store) -> None:
    name = f"{__name__}:tells_no_cost"
    opened(store, model=name, price="input=1000000,output=0", budget_usd=1e9).plan(view())
    (call,) = store.model_calls_of(samples.RUN_ID)
    assert call.usage.cost_usd == pytest.approx(1.0)
    with pytest.raises(BudgetExhausted, match="budget of the run"):
        opened(store, model=name, price="input=1,output=0", budget_usd=1).plan(view(position=1))


def test_what_is_recorded_is_given_back_and_nothing_else(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    idea = opened(store, model=f"{__name__}:plans", record=path).plan(view())
    again = opened(store, model=f"replay:{path}")
    assert again.plan(view()) == idea
    with pytest.raises(InfrastructureError, match="holds no answer"):
        again.plan(view(position=1))


def test_what_a_run_has_used_counts_when_it_goes_on(store: Store) -> None:
    name = f"{__name__}:plans"
    opened(store, model=name).plan(view())
    spent = {"task_budget": Allowance(calls=1)}
    with pytest.raises(BudgetExhausted, match="budget of the task: 1 calls of 1 calls used"):
        opened(store, model=name, **spent).plan(view(position=1))
    with pytest.raises(BudgetExhausted, match="budget of the run: 1 calls of 1 calls used"):
        opened(store, model=name, budget_calls=1).plan(view(position=1))
    assert len(store.model_calls_of(samples.RUN_ID)) == 1
