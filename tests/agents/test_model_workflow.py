"""The whole workflow with a scripted model: real graph, real SDK, verdicts made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kernelwright.agents.graph import Workflow
from kernelwright.agents.model.proposer import REPAIR
from kernelwright.agents.search import BestOfN, Greedy, SearchStrategy
from kernelwright.errors import InfrastructureError, ProviderError
from kernelwright.llm.base import LLM
from kernelwright.llm.replay import Recorder, Replay
from kernelwright.schema import Attempt, Candidate, Evaluation, Status
from tests.agents.model_kit import (
    BACKENDS,
    DIAGNOSIS,
    PLAN,
    TASK,
    Stage,
    block,
    by_role,
    file,
    loopback_server,
    role_of,
)
from tests.llm.conftest import Hosted, openai_hosted
from tests.store import samples

Evaluate = Callable[[Candidate], Evaluation]
CALL_USD = 0.0035
"""What one scripted call costs: 1000 tokens in, 100 out, GPT-4o."""


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with loopback_server() as server:
        yield openai_hosted(server)


def scripted(hosted: Hosted, *files: str) -> None:
    """A planner and a profiler that always say the same, and a coder with these answers."""
    by_role(hosted, planner=[PLAN], coder=list(files), profiler=[DIAGNOSIS])


def verdicts(*eager: float | None) -> Evaluate:
    """Speedup of `file(i)` by its position; None is a crash."""
    by_source = {file(index): value for index, value in enumerate(eager)}

    def evaluate(candidate: Candidate) -> Evaluation:
        value = by_source[candidate.source]
        status = Status.PASSED if value else Status.RUNTIME_ERROR
        return samples.evaluation(candidate, value, status=status, for_task=TASK)

    return evaluate


class Outcome(NamedTuple):
    stage: Stage
    reason: str
    history: list[Attempt]
    phases: list[str]

    @property
    def hashes(self) -> list[str | None]:
        return [a.candidate.hash if a.candidate else None for a in self.history]

    @property
    def roles(self) -> list[str]:
        """Who was asked, in order."""
        return [role_of(asked) for asked in self.stage.asked]


def run(
    hosted: Hosted,
    evaluate: Evaluate,
    *,
    attempts: int = 3,
    limit_usd: float = 5.0,
    llm: LLM | None = None,
    strategy: SearchStrategy | None = None,
) -> Outcome:
    stage = Stage(hosted, llm, limit_usd)
    stored: list[Attempt] = []
    phases: list[str] = []
    workflow = Workflow(
        run_id=samples.RUN_ID,
        task=TASK,
        proposer=stage.proposer,
        strategy=strategy or Greedy(),
        backends=BACKENDS,
        evaluate=evaluate,
        record=stored.append,
        history=[],
        attempts=attempts,
        deadline=time.monotonic() + 600,
        on_phase=lambda phase, text: phases.append(phase),
    )
    reason = workflow.run()
    assert stored == workflow.history
    return Outcome(stage, reason, stored, phases)


def test_plan_code_evaluate_profile_in_this_order(hosted: Hosted) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    outcome = run(hosted, verdicts(1.5, 2.0), attempts=2)
    assert outcome.reason == "all attempts used"
    assert outcome.phases == ["plan", "code", "evaluate", "profile", "plan", "code", "evaluate"]
    assert outcome.roles == ["planner", "coder", "profiler", "planner", "coder"]
    assert [a.usage.cost_usd for a in outcome.history] == pytest.approx(
        [2 * CALL_USD, 3 * CALL_USD]
    )
    assert [call.role for call in outcome.stage.calls] == outcome.roles


def test_greedy_goes_on_from_the_best(hosted: Hosted) -> None:
    scripted(hosted, *(block(file(index)) for index in range(3)))
    outcome = run(hosted, verdicts(2.5, 1.2, 2.0))
    best = outcome.hashes[0]
    parents = [a.candidate.parents for a in outcome.history if a.candidate]
    assert parents == [(), (best,), (best,)]
    assert "VARIANT = 0" in outcome.stage.last_word()
    assert "VARIANT = 1" not in outcome.stage.last_word()


def test_a_failure_is_repaired_then_diagnosed(hosted: Hosted) -> None:
    scripted(hosted, *(block(file(index)) for index in range(2)))
    outcome = run(hosted, verdicts(None, 2.0), attempts=2)
    assert outcome.roles == ["planner", "coder", "profiler", "coder"]
    assert outcome.history[1].plan.startswith(REPAIR)
    assert "Diagnosis of the code above" in outcome.stage.last_word()
    candidate = outcome.history[1].candidate
    assert candidate is not None and candidate.parents == (outcome.hashes[0],)


def test_independent_attempts_ask_no_profiler(hosted: Hosted) -> None:
    scripted(hosted, *(block(file(index)) for index in range(3)))
    outcome = run(hosted, verdicts(2.5, None, 2.0), strategy=BestOfN())
    assert outcome.roles == ["planner", "coder"] * 3
    assert all("VARIANT" not in str(asked.body["messages"]) for asked in outcome.stage.asked)
    plans = {asked.body["messages"][1]["content"] for asked in outcome.stage.asked[::2]}
    assert len(plans) == 3  # each with other moves to think of


def test_the_budget_ends_the_search(hosted: Hosted) -> None:
    scripted(hosted, *(block(file(index)) for index in range(9)))
    outcome = run(hosted, verdicts(*[2.0] * 9), attempts=9, limit_usd=3.9 * CALL_USD)
    assert outcome.reason == "budget used: $0.014 of $0.01365"
    assert outcome.roles == ["planner", "coder", "profiler", "planner"]
    assert len(outcome.history) == 1


def test_no_budget_asks_nothing(hosted: Hosted) -> None:
    outcome = run(hosted, verdicts(), limit_usd=0)
    assert outcome.reason == "budget used: $0 of $0"
    assert outcome.stage.asked == [] and outcome.history == []


def test_three_empty_codes_end_the_search_without_an_evaluation(hosted: Hosted) -> None:
    scripted(hosted, "I would tile it.")
    outcome = run(hosted, verdicts())
    assert outcome.reason == "3 answers in a row without usable code"
    assert outcome.roles == ["planner", "coder", "coder", "coder"] * 3
    assert outcome.history == []


def test_an_infrastructure_error_is_stored_and_not_scored(hosted: Hosted) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    judged = verdicts(None, 2.0)

    def evaluate(candidate: Candidate) -> Evaluation:
        if candidate.source == file(0):
            raise InfrastructureError("a worker did not start")
        return judged(candidate)

    outcome = run(hosted, evaluate, attempts=2)
    lost, good = outcome.history
    assert lost.evaluation is None and lost.error == "a worker did not start"
    assert good.evaluation is not None and good.evaluation.accepted
    assert good.candidate is not None and good.candidate.parents == ()
    assert outcome.roles == ["planner", "coder", "planner", "coder"]


def test_a_provider_fault_ends_the_task_and_keeps_what_was_done(hosted: Hosted) -> None:
    scripted(hosted, block(file(0)))
    answer = hosted.loopback.respond
    hosted.loopback.respond = lambda asked: (
        hosted.error(401, "key revoked") if len(hosted.loopback.asked) > 3 else answer(asked)
    )
    with pytest.raises(ProviderError, match="401"):
        run(hosted, verdicts(2.0))
    assert len(hosted.loopback.asked) == 4


def test_a_recording_gives_the_same_candidates_without_a_request(
    hosted: Hosted, tmp_path: Path
) -> None:
    answers = [block(file(0)), "Hm.", block(file(1)), "Hm.", "Hm.", "Hm.", block(file(2))]
    scripted(hosted, *answers)
    path = tmp_path / "recording.jsonl"
    speeds = verdicts(1.5, None, 2.0)
    first = run(hosted, speeds, llm=Recorder(hosted.llm, path))
    requests = len(first.stage.asked)
    again = run(hosted, speeds, llm=Replay(path))
    assert len(hosted.loopback.asked) == requests
    assert again.reason == first.reason == "all attempts used"
    assert again.hashes == first.hashes and len(set(first.hashes)) == 3
    said = [
        [(call.role, call.answer, call.usage) for call in o.stage.calls] for o in (first, again)
    ]
    assert said[0] == said[1] and len(said[0]) == requests
