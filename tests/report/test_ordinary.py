"""The words on ordinary interpreters, in the terminal, the report and reproduce.py."""

from __future__ import annotations

import pytest

from kernelwright.batch.metrics import suite_metrics
from kernelwright.report.html import render_report
from kernelwright.report.ordinary import measured_before, ordinary_words
from kernelwright.report.view import headline_of, task_view
from kernelwright.schema import OrdinaryRun
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import TaskResult
from tests.report import story
from tests.report.test_html import Page
from tests.store import samples

LOST = OrdinaryRun(right=None, problem="it did not end within 180 s")
WRONG = OrdinaryRun(right=False, problem="values, seed 3: 7 of 9 values are wrong")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (samples.ordinary_run(1.72), "it is faster: 1.72× (1.53–1.91×)."),
        (samples.ordinary_run(1.1), "it may not be faster: 1.10× (0.91–1.29×)."),
        (
            samples.ordinary_run(1.1, 1.0),
            "the times differ too much to tell: 1.10× (0.10–2.10×).",
        ),
        (samples.ordinary_run(0.7), "it is slower: 0.70× (0.51–0.89×)."),
        (LOST, "it was not timed: It did not end within 180 s."),
        (WRONG, "it is wrong: Values, seed 3: 7 of 9 values are wrong."),
    ],
)
def test_a_sentence_says_what_a_user_will_see(run: OrdinaryRun, words: str) -> None:
    assert ordinary_words(run) == f"In an ordinary interpreter {words}"


def test_the_report_has_both_figures_and_says_how_they_came_about() -> None:
    text = Page(render_report(samples.run(), [story.improved_task()])).text
    assert "2.31× the speed of eager PyTorch" in text
    assert "1.72× the speed of eager, ordinary interpreter one more run: 1.53–1.91×" in text
    assert "5 fresh interpreters" in text and "eager 4.126 ms, this file 2.399 ms" in text
    assert "proves nothing" in text


def test_a_file_that_was_not_timed_elsewhere_has_no_third_figure() -> None:
    found = story.improved_task()
    assert found.result is not None
    lost = found._replace(result=found.result.model_copy(update={"ordinary": LOST}))
    view = task_view(lost, 1)
    assert len(view.figures) == 2
    assert view.ordinary == ["In an ordinary interpreter it was not timed: It did not end within "
                             "180 s."]  # fmt: skip


def test_torch_compiles_own_program_has_no_speed_over_itself() -> None:
    found = story.improved_task()
    assert found.result is not None and found.result.evaluation is not None
    own = found.result.evaluation.model_copy(update={"compiled": "baseline"})
    result = found.result.model_copy(update={"evaluation": own})
    meanings = [figure.meaning for figure in task_view(found._replace(result=result), 1).figures]
    assert meanings == ["the speed of eager PyTorch", "the speed of eager, ordinary interpreter"]


def wrong_elsewhere() -> TaskResult:
    """Return the answer of a task with a file that is right before the judge alone."""
    won = samples.improved()
    lost = {**won.model_dump(), "status": "no_improvement", "ordinary": WRONG.model_dump()}
    return TaskResult.model_validate(lost)


def test_a_file_that_is_wrong_elsewhere_is_no_improvement() -> None:
    answer = headline_of(wrong_elsewhere())
    assert answer.word == "no improvement"
    assert "right before the judge. In an ordinary interpreter it is wrong: Values" in answer.detail
    metrics = suite_metrics([wrong_elsewhere()])
    assert metrics.improved == 0 and metrics.geometric_mean == 1.0
    assert set(metrics.fast_p.values()) == {0.0}
    with pytest.raises(ValueError, match="right in ordinary interpreters"):
        TaskResult.model_validate({**wrong_elsewhere().model_dump(), "status": "improved"})


def test_results_of_earlier_versions_have_no_word_on_it() -> None:
    stored = samples.improved().model_dump(mode="json")
    del stored["ordinary"]
    result = TaskResult.model_validate(stored)
    assert result.ordinary is None
    found = TaskRecord(samples.run(), samples.task(), result, [], ())
    assert task_view(found, 1).ordinary == []
    assert measured_before(result).endswith("under the judge's conditions.")
