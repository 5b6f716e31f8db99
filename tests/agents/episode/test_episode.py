"""Episodes: tools do what they say, bad calls are answered, and nothing is done twice."""

from __future__ import annotations

import pytest

from kernelwright.agents.episode.bench import Bench, Misuse
from kernelwright.agents.proposer import BudgetExhausted, NoUsableAnswer
from kernelwright.errors import InfrastructureError, KernelwrightError, ProviderError
from kernelwright.schema import Candidate, Evaluation, ToolStep
from tests.agents.episode.kit import RIGHT, TASK, WRONG, Script, calling, episode, saying
from tests.agents.model_kit import block
from tests.agents.workflow_kit import Scripted
from tests.store import samples

WRITE_WRONG = calling(("write_file", {"source": WRONG}))
MEND = calling(("edit", {"old": "2 * powers", "new": "powers"}))
SUBMIT = calling(("submit", {}))


def test_a_file_is_written_mended_timed_and_submitted() -> None:
    script = Script(
        WRITE_WRONG,
        calling(("check", {})),
        MEND,
        calling(("build", {}), ("check", {}), ("time", {}), ("profile", {})),
        SUBMIT,
    )
    with episode(script) as subject:
        assert subject.run() == RIGHT
    wrong = script.asked[2].messages[-1].text
    assert "incorrect_numerical" in wrong
    built, right, timed, where = script.told
    assert built.text.startswith("built")
    assert right.text == "right on every case that was tried"
    assert "x eager" in timed.text
    assert "us per call" in where.text
    assert "[4 of 40 calls, 440 tokens, " in script.asked[-1].messages[-1].text


def test_bad_calls_are_answered_in_words_and_change_nothing() -> None:
    script = Script(
        calling(
            ("write_file", {"source": RIGHT}),
            ("edit", {"old": "nowhere", "new": ""}),
            ("edit", {"old": 3}),
            ("fly", {}),
            ("check", "{"),
            ("check", "[]"),
            ("show_attempt", {"number": 3}),
            ("disassemble", {"function": "softmax"}),
            ("search_notes", {"query": "accumulators for a reduction"}),
            ("write_file", {"source": "def broken("}),
        ),
        calling(("submit", {}), ("show_attempt", {})),
        calling(("write_file", {"source": RIGHT}), ("submit", {}), ("write_file", {"source": "x"})),
    )
    with episode(script) as subject:
        assert subject.run() == RIGHT  # nothing comes after `submit`
    told = script.asked[1].messages[-1]
    errors = [part.is_error for part in told.parts if part.kind == "tool_result"]
    assert errors == [False, True, True, True, True, True, True, True, False, False]
    text = told.text
    for words in (
        "`old` occurs 0 times",
        "new: Field required",
        "fly is not a valid tool",
        "the arguments are no JSON object",
        "there are: none yet",
        "no function of the built code",
        "accumulator",
        "not valid Python",
    ):
        assert words in text
    refused, shown = script.told
    assert refused.is_error and "not valid Python" in refused.text
    assert shown.text == "def broken("


def test_a_file_that_is_not_worth_a_verdict_is_not_submitted() -> None:
    def require(source: str) -> None:
        if source != RIGHT:
            raise Misuse("nothing new")

    script = Script(WRITE_WRONG, SUBMIT, MEND, SUBMIT)
    with episode(script, require=require) as subject:
        assert subject.run() == RIGHT
    assert "nothing new" in script.asked[2].messages[-1].text


def test_a_model_that_calls_nothing_may_answer_with_the_file() -> None:
    script = Script(saying("I would fuse it."), saying(block(RIGHT)))
    with episode(script) as subject:
        assert subject.run().strip() == RIGHT.strip()
    assert "Call a tool" in script.asked[1].messages[-1].text


def test_a_model_that_never_does_anything_is_given_up() -> None:
    with episode(Script(*[saying("Hm.")] * 9)) as subject, pytest.raises(NoUsableAnswer):
        subject.run()


OVER = BudgetExhausted("budget of the attempt", scope="attempt")


@pytest.mark.parametrize(("most_calls", "over"), [(2, OVER), (40, OVER), (40, ProviderError("no"))])
def test_where_it_ends_early_the_last_right_file_is_taken(
    most_calls: int, over: KernelwrightError
) -> None:
    script = Script(calling(("write_file", {"source": RIGHT}), ("check", {})), WRITE_WRONG, over)
    with episode(script, most_calls=most_calls) as subject:
        assert subject.run() == RIGHT
    with episode(Script(WRITE_WRONG, over)) as subject, pytest.raises(type(over)):
        subject.run()


def test_a_tool_that_fails_without_the_file_s_fault_is_told_and_nothing_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(candidate: Candidate) -> Evaluation:
        raise InfrastructureError("a worker did not start")

    judge = Scripted(fail)
    monkeypatch.setattr(Bench, "_judging", judge)
    script = Script(calling(("write_file", {"source": RIGHT}), ("check", {})), SUBMIT)
    with episode(script) as subject:
        assert subject.run() == RIGHT
    assert script.told[1].is_error and "a worker did not start" in script.told[1].text
    assert judge.levels == ["fast", "fast"]  # it was tried twice


def test_what_was_profiled_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Scripted(lambda candidate: samples.evaluation(candidate, 2.0, for_task=TASK))
    monkeypatch.setattr(Bench, "_judging", judge)
    tried = calling(("write_file", {"source": RIGHT}), ("profile", {}), ("time", {}), ("check", {}))
    with episode(Script(tried, SUBMIT)) as subject:
        assert subject.run() == RIGHT
    assert judge.levels == ["fast"]


def test_an_episode_that_is_continued_runs_no_tool_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (
        WRITE_WRONG,
        calling(("check", {}), ("search_notes", {"query": "vector"})),
        MEND,
        calling(("check", {}), ("time", {})),
        SUBMIT,
    )
    journal: dict[str, ToolStep] = {}
    first = Script(*answers)
    with episode(first, journal) as subject:
        subject.run()
    assert [step.name for step in journal.values()] == [
        *("write_file", "check", "search_notes", "edit", "check", "time", "submit")
    ]
    monkeypatch.setattr(Bench, "evaluate", None)
    again = Script(*answers)
    with episode(again, dict(journal)) as subject:
        assert subject.run() == RIGHT
    assert again.asked == first.asked
    stopped = Script(*answers[:4], BudgetExhausted("no more", scope="attempt"))
    with episode(stopped, dict(journal)) as subject:
        assert subject.run() == RIGHT  # known to be right from what is stored


def test_another_episode_of_the_attempt_runs_its_own_tools() -> None:
    journal: dict[str, ToolStep] = {}
    for opening in ("Make it fast.", "Repair it."):
        script = Script(WRITE_WRONG, calling(("show_attempt", {})), SUBMIT)
        with episode(script, journal, opening=opening) as subject:
            subject.run()
    assert len(journal) == 6


def test_a_bench_has_no_hidden_workload_and_inputs_of_its_own() -> None:
    hidden = [one for one in TASK.workloads if one.role == "hidden"]
    assert hidden
    script = Script(SUBMIT)
    with episode(script) as subject:
        bench = subject._bench
        assert all(one.role != "hidden" for one in bench.task.workloads)


def test_the_pages_of_results_are_short() -> None:
    long = f"{RIGHT}# {'x' * 50_000}\n"
    script = Script(calling(("write_file", {"source": long}), ("show_attempt", {})), SUBMIT)
    with episode(script) as subject:
        subject.run()
    assert all(len(result.text) < 6_100 for result in script.told)
    assert "more characters]" in script.told[1].text
