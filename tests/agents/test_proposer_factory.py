"""Proposers made from a run's settings and the models that they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from kernelwright.agents.proposer import BudgetExhausted, Idea, NoUsableAnswer
from kernelwright.agents.proposer_factory import proposer_factory
from kernelwright.agents.search.stopping import PLATEAU
from kernelwright.config import Allowance, Settings
from kernelwright.errors import ProviderError
from kernelwright.llm.base import Completion, Heard, Request, Watch, go_on
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Facts, Usage
from kernelwright.store.files import write_atomically
from kernelwright.store.store import Store, open_store
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.speeds import Speeds, speeds_file
from tests.agents.model_kit import DIAGNOSIS, PLAN, TASK, attempt, block, file, view
from tests.store import samples

HEARD: list[int] = []
"""Numbers of characters that proposers were told of."""


class Says:
    """A model that always says the same."""

    def __init__(self, name: str, text: str, cost_usd: float | None = 0.01) -> None:
        self.name = name
        self.text = text
        self.usage = Usage(input_tokens=1, output_tokens=1, cost_usd=cost_usd)

    def complete(self, request: Request, **_: Any) -> Completion:
        """See `LLM.complete`."""
        return Completion(text=self.text, stop="end", usage=self.usage, model=self.name)


class Remembers(Says):
    """A model that keeps the requests."""

    asked: ClassVar[list[Request]] = []

    def complete(self, request: Request, *, watch: Watch = go_on, **_: Any) -> Completion:
        """See `LLM.complete`."""
        self.asked.append(request)
        assert watch(Heard(7, "so far,"))
        return super().complete(request)


def remembers_plans() -> Says:
    return Remembers("made/planner", PLAN)


def remembers_code() -> Says:
    return Remembers("made/coder", block(file(1)))


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
        opened.fix_facts(samples.RUN_ID, TASK.id, Facts)  # there is no reference to gather them of
        yield opened


MACHINE = Machine(ProcessSandbox(), 2, "cpu")
SPEEDS = Speeds(copies={"memory": 12e9}, products={"float32": 140e9})


@pytest.fixture(autouse=True)
def known_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_atomically(speeds_file(MACHINE, Settings().cache_dir), SPEEDS.model_dump_json())


def opened(store: Store, **settings: Any) -> Any:
    reference = cast(Reference, SimpleNamespace(machine=MACHINE, one_evaluation=nullcontext()))
    make = proposer_factory(Settings(**settings), store, samples.RUN_ID)
    return make(TASK, reference, lambda: None, print, HEARD.append)


def test_each_role_may_have_a_model_of_its_own(store: Store) -> None:
    proposer = opened(store, model=f"{__name__}:plans", profiler_model=f"{__name__}:diagnoses")
    proposer.plan(view())
    proposer.diagnose(view(), attempt(0, file(0)))
    calls = [(call.role, call.model) for call in store.model_calls_of(samples.RUN_ID)]
    assert calls == [("planner", "made/planner"), ("profiler", "made/profiler")]
    for call in store.model_calls_of(samples.RUN_ID):
        assert all(line in call.messages[1].text for line in SPEEDS.words)


def test_each_role_has_effort_schema_and_limit(store: Store) -> None:
    Remembers.asked.clear()
    HEARD.clear()
    roles = {"planner_model": f"{__name__}:remembers_plans", "model": f"{__name__}:remembers_code"}
    proposer = opened(store, **roles, planner_effort="low", answer_tokens=512)
    stale = [attempt(index, file(f"tried {index}")) for index in range(PLATEAU + 1)]
    for shown in (view(), view(*stale[:-1]), view(*stale)):
        proposer.code(shown, proposer.plan(shown))
    planned, coded = Remembers.asked[::2], Remembers.asked[1::2]
    assert [asked.effort for asked in planned] == ["low", "low", "medium"]
    assert [asked.effort for asked in coded] == [None] * 3  # a model without known levels
    assert {asked.max_tokens for asked in Remembers.asked} == {512}
    schema = planned[0].answer_schema
    assert schema is not None and set(schema["required"]) == {"ideas", "chosen"}
    assert coded[0].answer_schema is None
    assert len({asked.cache_key for asked in planned}) == 1
    assert planned[0].cache_key != coded[0].cache_key
    assert HEARD == [7] * 6


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
    with pytest.raises(ProviderError, match="holds no answer"):
        again.code(view(), idea)
    assert "Fuse" not in again.plan(view(position=1)).text


def test_what_a_run_has_used_counts_when_it_goes_on(store: Store) -> None:
    name = f"{__name__}:plans"
    opened(store, model=name).plan(view())
    spent = {"task_budget": Allowance(calls=1)}
    with pytest.raises(BudgetExhausted, match="budget of the task: 1 calls of 1 calls used"):
        opened(store, model=name, **spent).plan(view(position=1))
    with pytest.raises(BudgetExhausted, match="budget of the run: 1 calls of 1 calls used"):
        opened(store, model=name, budget_calls=1).plan(view(position=1))
    assert len(store.model_calls_of(samples.RUN_ID)) == 1


def test_under_the_policy_custom_no_compiler_of_torch_is_offered(store: Store) -> None:
    name = f"{__name__}:plans"
    for position, (policy, told) in enumerate([("any", True), ("custom", False)]):
        opened(store, model=name, policy=policy).plan(view(position=position))
        call = store.model_calls_of(samples.RUN_ID)[-1]
        assert ("inductor" in call.messages[1].content) is told
        assert ("own code" in call.messages[0].content) is not told
