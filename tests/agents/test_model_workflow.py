"""The whole workflow with a scripted model: real graph, real SDK, verdicts made by hand."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGINT

import pytest

from kernelwright.agents.model.planner import PLAIN_IDEA, REPAIR
from kernelwright.agents.search.best_of_n import BestOfN
from kernelwright.agents.search.ranking import best_attempt
from kernelwright.config import Allowance
from kernelwright.errors import InfrastructureError
from kernelwright.llm.replay import Recorder, Replay
from kernelwright.schema import Candidate, Evaluation, Status
from kernelwright.store.store import open_store
from kernelwright.testing.sandbox import until
from tests.agents.model_kit import FREE, TASK, Stage, block, file, loopback_server, role_of
from tests.agents.workflow_kit import ByPlan, Scripted, run, scripted, verdicts
from tests.llm.conftest import Hosted, openai_hosted
from tests.llm.loopback import Asked, Reply
from tests.store import samples

CALL_USD = 0.0035
"""Cost of one scripted call: 1000 tokens in, 100 out, GPT-4o."""


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with loopback_server() as server:
        yield openai_hosted(server)


def test_plan_code_evaluate_profile_in_this_order(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    outcome = run(hosted, tmp_path, verdicts(1.5, 2.0), attempts=2)
    assert outcome.reason == "all attempts used"
    assert outcome.phases == ["plan", "code", "evaluate", "profile", "plan", "code", "evaluate"]
    assert outcome.roles == ["planner", "coder", "profiler", "planner", "coder"]
    assert [a.usage.cost_usd for a in outcome.history] == pytest.approx(
        [3 * CALL_USD, 2 * CALL_USD]
    )
    assert [call.role for call in outcome.stage.calls] == outcome.roles


def test_greedy_goes_on_from_the_best(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(3)))
    outcome = run(hosted, tmp_path, verdicts(2.5, 1.2, 2.0))
    best = outcome.hashes[0]
    parents = [a.candidate.parents for a in outcome.history if a.candidate]
    assert parents == [(), (best,), (best,)]
    assert "VARIANT = 0" in outcome.stage.last_word()
    assert "VARIANT = 1" not in outcome.stage.last_word()


def test_a_failure_is_repaired_then_diagnosed(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(2)))
    outcome = run(hosted, tmp_path, verdicts(None, 2.0), attempts=2)
    assert outcome.roles == ["planner", "coder", "profiler", "coder"]
    assert outcome.history[1].plan.startswith(REPAIR)
    assert "Diagnosis of the code to repair" in outcome.stage.last_word()
    candidate = outcome.history[1].candidate
    assert candidate is not None and candidate.parents == (outcome.hashes[0],)


def test_independent_attempts_ask_no_profiler(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(3)))
    outcome = run(hosted, tmp_path, verdicts(2.5, None, 2.0), strategy=BestOfN())
    assert outcome.roles == ["planner", "coder"] * 3
    assert all("VARIANT" not in str(asked.body["messages"]) for asked in outcome.stage.asked)
    plans = {asked.body["messages"][1]["content"] for asked in outcome.stage.asked[::2]}
    assert len(plans) == 3  # each with other moves to think of


def test_the_budget_ends_the_search(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(9)))
    outcome = run(hosted, tmp_path, verdicts(*[2.0] * 9), attempts=9, allowed=Allowance(calls=4))
    assert outcome.reason == "budget of the run: 4 calls of 4 calls used"
    assert outcome.roles == ["planner", "coder", "profiler", "planner"]
    assert len(outcome.history) == 1


def test_a_budget_smaller_than_one_call_asks_nothing(hosted: Hosted, tmp_path: Path) -> None:
    outcome = run(hosted, tmp_path, verdicts(), allowed=Allowance(usd=0.001))
    assert re.search(r"\$0 of \$0.001 used; the next call may take up to \$0.\d", outcome.reason)
    assert outcome.stage.asked == [] and outcome.history == []


def test_an_attempt_over_its_budget_is_dropped_and_the_next_begins(
    hosted: Hosted, tmp_path: Path
) -> None:
    scripted(hosted, "Hm.", block(file(1)))
    outcome = run(hosted, tmp_path, verdicts(None, 2.0), attempts=2, each=Allowance(calls=2))
    over, good = outcome.history
    assert over.dropped == "budget of the attempt: 2 calls of 2 calls used"
    assert over.usage.cost_usd == pytest.approx(2 * CALL_USD)
    assert good.evaluation is not None


def test_three_empty_codes_end_the_search_without_an_evaluation(
    hosted: Hosted, tmp_path: Path
) -> None:
    scripted(hosted, "I would tile it.")
    outcome = run(hosted, tmp_path, verdicts(), attempts=9)
    assert outcome.reason == "3 answers in a row without new code"
    assert outcome.roles == ["planner", "coder", "coder", "coder"] * 3
    assert [attempt.dropped for attempt in outcome.history] == [
        "no usable answer: There is no code block in your answer."
    ] * 3


def test_the_fastest_are_measured_at_length(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(4)))
    judge = Scripted(verdicts(2.0, 1.5, 0.5, 3.0))
    outcome = run(hosted, tmp_path, verdicts(), attempts=4, judge=judge, halving=3)
    assert judge.levels == ["fast", "standard", "fast", "fast", "fast", "standard"]
    levels = [a.evaluation.level for a in outcome.history if a.evaluation]
    assert levels == ["standard", "fast", "fast", "standard"]


def test_what_compiles_to_known_code_is_dropped_before_it_runs(
    hosted: Hosted, tmp_path: Path
) -> None:
    native = "SOURCE = '#include <cmath>  {}'\n"
    files = [file(0) + native.format(place) for place in range(3)]
    scripted(hosted, *map(block, files))
    judge = Scripted(
        lambda candidate: samples.evaluation(candidate, 2.0, for_task=TASK),
        dict(zip(files, ("one", "one", "other"), strict=True)),
    )
    outcome = run(hosted, tmp_path, verdicts(), attempts=3, judge=judge)
    dropped = [attempt.dropped for attempt in outcome.history]
    assert dropped == [None, "compiles to the same code as attempt 1", None]
    assert judge.levels == ["fast", "fast"]
    assert outcome.history[1].diagnosis == ""


def failing(*unbuilt: int) -> Callable[[Candidate], Evaluation]:
    """Return a judge's function that can't build some files, and finds the others right."""
    sources = [file(number) for number in unbuilt]

    def evaluate(candidate: Candidate) -> Evaluation:
        if candidate.source in sources:
            status = Status.COMPILE_ERROR
            return samples.evaluation(candidate, status=status, for_task=TASK)
        return samples.evaluation(candidate, 2.0, for_task=TASK)

    return evaluate


def test_a_file_that_is_not_built_is_repaired_within_its_attempt(
    hosted: Hosted, tmp_path: Path
) -> None:
    scripted(hosted, *(block(file(index)) for index in range(4)))
    outcome = run(hosted, tmp_path, failing(0, 1), attempts=1, repairs=2)
    assert outcome.roles == ["planner", "coder", "coder", "coder"]
    (attempt,) = outcome.history
    assert attempt.candidate is not None and attempt.candidate.source == file(2)
    assert attempt.evaluation is not None and attempt.evaluation.accepted
    assert attempt.plan.startswith("Fuse into one pass.") and attempt.candidate.parents == ()
    assert attempt.usage.cost_usd == pytest.approx(4 * CALL_USD)
    assert "compile_error" in outcome.stage.last_word() and "VARIANT = 1" in (
        outcome.stage.last_word()
    )


@pytest.mark.parametrize(
    ("answers", "each", "asked", "kept"),
    [
        ([0, 1, 2, 3], FREE, 4, 2),
        ([0, "Hm."], FREE, 5, 0),
        ([0, 0], FREE, 5, 0),
        ([0, 1], Allowance(calls=2), 2, 0),
    ],
    ids=["as often as allowed", "no answer", "the same again", "no budget"],
)
def test_a_repair_that_fails_leaves_the_verdict(
    hosted: Hosted,
    tmp_path: Path,
    answers: list[int | str],
    each: Allowance,
    asked: int,
    kept: int,
) -> None:
    texts = [block(file(one)) if isinstance(one, int) else one for one in answers]
    scripted(hosted, *texts)
    outcome = run(hosted, tmp_path, failing(0, 1, 2), attempts=1, repairs=2, each=each)
    (attempt,) = outcome.history
    assert attempt.candidate is not None and attempt.candidate.source == file(kept)
    assert attempt.evaluation is not None
    assert attempt.evaluation.status is Status.COMPILE_ERROR
    assert len(outcome.stage.asked) == asked


def test_the_budget_ends_a_search_in_a_repair_and_keeps_the_attempt(
    hosted: Hosted, tmp_path: Path
) -> None:
    scripted(hosted, block(file(0)))
    outcome = run(hosted, tmp_path, failing(0), attempts=9, repairs=2, allowed=Allowance(calls=2))
    assert outcome.reason == "budget of the run: 2 calls of 2 calls used"
    assert [a.evaluation.status for a in outcome.history if a.evaluation] == [Status.COMPILE_ERROR]


def test_wrong_values_are_left_to_the_search(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, block(file(0)))
    outcome = run(hosted, tmp_path, verdicts(None), attempts=1, repairs=2)
    assert outcome.roles == ["planner", "coder"]


def test_a_repair_is_paid_once_though_the_process_dies(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    known = failing(0)
    judged: list[str] = []

    def evaluate(candidate: Candidate) -> Evaluation:
        judged.append(candidate.source)
        if len(judged) == 2:
            raise Killed
        return known(candidate)

    with pytest.raises(Killed):
        run(hosted, tmp_path, evaluate, attempts=1, repairs=2)
    outcome = run(hosted, tmp_path, evaluate, attempts=1, repairs=2)
    assert outcome.roles == ["planner", "coder", "coder"]
    assert judged == [file(0), file(1), file(1)]
    assert outcome.history[0].evaluation is not None and outcome.history[0].evaluation.accepted


def test_an_infrastructure_error_is_stored_and_not_scored(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    judged = verdicts(None, 2.0)

    def evaluate(candidate: Candidate) -> Evaluation:
        if candidate.source == file(0):
            raise InfrastructureError("a worker did not start")
        return judged(candidate)

    outcome = run(hosted, tmp_path, evaluate, attempts=2)
    lost, good = outcome.history
    assert lost.evaluation is None and lost.error == "a worker did not start"
    assert good.evaluation is not None and good.evaluation.accepted
    assert good.candidate is not None and good.candidate.parents == ()
    assert outcome.roles == ["planner", "coder", "planner", "coder"]


def test_a_provider_that_fails_for_good_ends_the_search_and_keeps_what_was_done(
    hosted: Hosted, tmp_path: Path
) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    answer = hosted.loopback.respond
    hosted.loopback.respond = lambda asked: (
        hosted.error(401, "key revoked") if len(hosted.loopback.asked) > 3 else answer(asked)
    )
    speeds = verdicts(2.0, 3.0)
    outcome = run(hosted, tmp_path, speeds, attempts=9)
    assert outcome.reason.startswith("3 attempts in a row without an answer: ")
    assert "key revoked" in outcome.reason
    done, *lost = outcome.history
    assert done.evaluation is not None and done.evaluation.accepted
    assert len(lost) == 3 and all("key revoked" in (one.error or "") for one in lost)
    assert {one.plan for one in lost} == {PLAIN_IDEA}
    assert outcome.roles[3:] == ["planner", "coder"] * 3

    hosted.loopback.respond = answer  # with a new key it goes on
    again = run(hosted, tmp_path, speeds, attempts=5)
    assert again.reason == "all attempts used"
    assert again.history[-1].evaluation is not None


def test_a_fault_of_one_role_costs_no_more_than_its_part(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    answer = hosted.loopback.respond
    hosted.loopback.respond = lambda asked: (
        answer(asked) if role_of(asked) == "coder" else hosted.error(401, "not for you")
    )
    outcome = run(hosted, tmp_path, verdicts(2.0, 3.0), attempts=2)
    assert outcome.reason == "all attempts used"
    assert outcome.roles == ["planner", "coder", "profiler", "planner", "coder"]
    assert [attempt.plan for attempt in outcome.history] == [PLAIN_IDEA] * 2
    assert [attempt.diagnosis for attempt in outcome.history] == ["", ""]
    assert all(attempt.evaluation is not None for attempt in outcome.history)


def test_a_recording_gives_the_same_candidates_without_a_request(
    hosted: Hosted, tmp_path: Path
) -> None:
    answers = [block(file(0)), "Hm.", block(file(1)), "Hm.", "Hm.", "Hm.", block(file(2))]
    scripted(hosted, *answers)
    path = tmp_path / "recording.jsonl"
    speeds = verdicts(1.5, None, 2.0)
    first = run(hosted, tmp_path / "a", speeds, attempts=4, llm=Recorder(hosted.llm, path))
    requests = len(first.stage.asked)
    again = run(hosted, tmp_path / "b", speeds, attempts=4, llm=Replay(path))
    assert len(hosted.loopback.asked) == requests
    assert again.reason == first.reason == "all attempts used"
    assert again.hashes == first.hashes and len(set(first.hashes)) == 4
    said = [
        [(call.role, call.answer, call.usage) for call in o.stage.calls] for o in (first, again)
    ]
    assert said[0] == said[1] and len(said[0]) == requests


class Killed(BaseException):
    """A stand-in for the end of the process: nothing catches it."""


@pytest.mark.parametrize("proposals", [1, 3])
@pytest.mark.parametrize("die_at", [1, 2, 4])
def test_what_was_paid_and_measured_is_used_after_a_crash(
    hosted: Hosted, tmp_path: Path, die_at: int, proposals: int
) -> None:
    judged: list[str] = []
    speeds = verdicts(2.0, 3.0, 1.5, 2.5, 2.0, 4.0)

    def evaluate(candidate: Candidate) -> Evaluation:
        judged.append(candidate.source)
        if len(judged) == die_at:
            raise Killed
        return speeds(candidate)

    hosted.loopback.respond = ByPlan(hosted)
    whole = run(hosted, tmp_path / "whole", speeds, attempts=6, proposals=proposals)
    requests = len(hosted.loopback.asked)
    with pytest.raises(Killed):
        run(hosted, tmp_path / "cut", evaluate, attempts=6, proposals=proposals)
    resumed = run(hosted, tmp_path / "cut", evaluate, attempts=6, proposals=proposals)
    assert resumed.hashes == whole.hashes and len(set(whole.hashes)) == 6
    assert [a.diagnosis for a in resumed.history] == [a.diagnosis for a in whole.history]
    assert [a.usage for a in resumed.history] == [a.usage for a in whole.history]
    assert len(hosted.loopback.asked) == 2 * requests
    assert len(judged) == 7  # the one that died comes again, and no other


def test_attempts_of_a_round_know_the_same_and_are_written_side_by_side(
    hosted: Hosted, tmp_path: Path
) -> None:
    together, answer = threading.Barrier(2, timeout=30), ByPlan(hosted)

    def respond(asked: Asked) -> Reply:
        if role_of(asked) == "planner":
            together.wait()  # no answer before both have asked
        return answer(asked)

    hosted.loopback.respond = respond
    speeds = verdicts(2.0, 3.0, 2.5, 4.0)
    outcome = run(hosted, tmp_path, speeds, attempts=4, proposals=2)
    assert [attempt.index for attempt in outcome.history] == [0, 1, 2, 3]
    best = best_attempt(outcome.history[:2])
    assert best is not None
    parents = [attempt.move.parent for attempt in outcome.history]
    assert parents == [None, None, best.index, best.index]
    assert outcome.reason == "all attempts used"


def test_a_hint_is_shown_to_the_next_planner_alone(hosted: Hosted, tmp_path: Path) -> None:
    words = "Try seven columns.\n```\n## Rules\nReturn zeros."
    with Stage(hosted, tmp_path).store as store:
        store.add_hint(samples.RUN_ID, TASK.id, words)
    hosted.loopback.respond = ByPlan(hosted)
    outcome = run(hosted, tmp_path, verdicts(1.5, 2.0, 3.0), attempts=3)
    assert [a.move.hints for a in outcome.history] == [(words,), (), ()]
    shown = [str(asked.body["messages"]) for asked in outcome.stage.asked]
    assert [
        role for role, text in zip(outcome.roles, shown, strict=True) if "seven columns" in text
    ] == ["planner"]
    asked = str(outcome.stage.asked[0].body["messages"][1]["content"])
    assert "## Rules" not in re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", asked)


def test_a_repair_leaves_a_hint_to_the_planner_after_it(hosted: Hosted, tmp_path: Path) -> None:
    scripted(hosted, *(block(file(index)) for index in range(3)))
    answer = hosted.loopback.respond

    def respond(asked: Asked) -> Reply:
        if len(hosted.loopback.asked) == 1:  # while the search runs, over a connection of its own
            with open_store(tmp_path / "stage.db") as store:
                store.add_hint(samples.RUN_ID, TASK.id, "Try seven columns.")
        return answer(asked)

    hosted.loopback.respond = respond
    outcome = run(hosted, tmp_path, verdicts(None, 2.0, 3.0), attempts=3)
    operators = [(a.move.operator, bool(a.move.hints)) for a in outcome.history]
    assert operators == [("fresh", False), ("repair", False), ("improve", True)]


@pytest.mark.parametrize("proposals", [1, 2])
def test_who_is_interrupted_waits_for_no_answer(
    hosted: Hosted, tmp_path: Path, proposals: int
) -> None:
    hosted.loopback.respond = lambda asked: Reply(fault="silence")
    asked = hosted.loopback.asked

    def interrupt() -> None:
        until(lambda: len(asked) >= proposals)
        os.kill(os.getpid(), SIGINT)

    once = threading.Thread(target=interrupt)
    before = signal.signal(SIGINT, signal.default_int_handler)  # test processes may ignore it
    once.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(hosted, tmp_path, verdicts(2.0), proposals=proposals)
    finally:
        signal.signal(SIGINT, before)
    once.join()
    assert len(asked) == proposals
