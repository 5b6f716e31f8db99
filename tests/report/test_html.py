"""The report's HTML, as a browser gets it."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

from kernelwright.report.html import render_report
from kernelwright.schema import BUSY_MACHINE, Flag, Message, Task
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import TaskResult
from tests.agents.model_kit import TASK
from tests.report import story
from tests.report.test_conversation import episode
from tests.report.test_decisions import history
from tests.store import samples

VOID = {"meta", "circle", "path", "line"}


class Page(HTMLParser):
    """The attributes and visible text of a page; fails where tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def page(*tasks: TaskRecord) -> Page:
    return Page(render_report(samples.run(), tasks))


def test_the_page_asks_for_nothing_outside() -> None:
    html = render_report(samples.run(), story.everything())
    found = Page(html)
    assert "http:" not in html and "https:" not in html and "@import" not in html
    assert "url(" not in html
    sources = [one for one in found.attributes if one[1] in ("src", "href", "srcset", "data")]
    assert all(value.startswith("#") for _, _, value in sources)
    assert "<script" not in html


def test_ids_are_unique_and_links_land() -> None:
    found = page(*story.everything())
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value[1:] for _, name, value in found.attributes if name == "href"]
    assert len(links) == 4 and set(links) <= set(ids)
    labels = [value for _, name, value in found.attributes if name == "aria-labelledby"]
    assert labels and all(set(value.split()) <= set(ids) for value in labels)


def test_a_win_is_shown_with_its_intervals_and_conditions() -> None:
    text = page(story.improved_task()).text
    for words in (
        "Faster than eager PyTorch and torch.compile",
        "2.31× the speed of eager PyTorch 95% interval 2.26–2.36×",
        "1.54× the speed of torch.compile 95% interval 1.51–1.57×",
        "offline optimizer, no language model",
        "level strict",
        "no limit on disk use",
        "21% of allowed",
    ):
        assert words in text, words


def test_a_hack_is_shown_but_its_speed_is_not() -> None:
    text = page(story.improved_task()).text
    assert "stale_output (refuse): output of call 7" in text
    assert "14.2" not in text and "not counted" in text


def test_where_values_are_wrong_is_shown() -> None:
    text = page(story.improved_task()).text
    assert "48 of 1,024 values are wrong: the last 3 columns; never written there." in text


def test_an_unmeasured_baseline_is_said_to_be_so() -> None:
    made = samples.candidate(backend="inductor")
    final = samples.evaluation(made, 1.4, level="strict")
    only_eager = final.model_copy(update={"speedup": {"eager": final.speedup["eager"]}})
    result = TaskResult(
        task_id=samples.task().id,
        status="improved",
        candidate_hash=made.hash,
        evaluation=only_eager,
    )
    text = page(
        TaskRecord(samples.run(), samples.task(), result, [samples.attempt(0, made)], [])
    ).text
    assert "the speed of torch.compile not measured" in text
    assert "torch.compile configuration" in text and "inductor kernel" not in text


def test_no_improvement_is_said_plainly_and_unknown_costs_are_unknown() -> None:
    text = page(story.unlucky_task()).text
    assert "No improvement found Best accepted candidate against eager: 0.78×" in text
    assert "language model openai/some-model" in text
    assert "Cost unknown" in text and "Input tokens unknown" in text
    assert "$0.0312" in text and "$0 " not in text


def test_what_a_busy_machine_left_open_is_never_called_slow() -> None:
    made = samples.candidate()
    busy = Flag(rule=BUSY_MACHINE, severity="suspicious", evidence="others used these cores")
    verdict = samples.evaluation(made, 1.5, flags=(busy,))
    result = TaskResult(
        task_id=samples.task().id,
        status="not_decided",
        candidate_hash=made.hash,
        evaluation=samples.evaluation(made, 1.5, flags=(busy,), level="strict"),
    )
    attempts = [samples.attempt(0, made, evaluation=verdict)]
    text = page(TaskRecord(samples.run(), samples.task(), result, attempts, [])).text
    assert "Not decided (busy machine) Others used these cores. So its times" in text
    assert text.count("not decided (busy machine)") == 1, "the attempt's badge"
    assert "right, not faster" not in text and "No improvement" not in text


def test_errors_and_unfinished_tasks_have_their_own_words() -> None:
    text = page(*story.everything()).text
    assert "No answer: infrastructure error no worker answered" in text
    assert "Not finished" in text
    assert "Measured 2 of 4 tasks" in text
    assert "fast_p 50% 25% 25% 25% 25% 25%" in text


def test_text_of_tasks_and_models_cannot_become_markup() -> None:
    evil = "<script>alert('x')</script><img src=x>"
    task = Task(id=f"mine/{evil}", source=evil)
    made = samples.candidate(evil, evil, description=evil)
    verdict = samples.evaluation(made, 2.0, for_task=task, reason=evil, environment={evil: evil})
    attempts = [samples.attempt(0, made, task_id=task.id, plan=evil, evaluation=verdict)]
    attempts.append(samples.attempt(1, task_id=task.id, error=evil))
    said = samples.attempt(2, made, task_id=task.id, evaluation=verdict, diagnosis=evil)
    attempts += [said, samples.attempt(3, task_id=task.id, dropped=evil)]
    asked = samples.call(evil, attempt=2, messages=(Message(role="user", content=evil),))
    calls = [asked, samples.call(None, attempt=2, error=evil, model=evil)]
    result = TaskResult(
        task_id=task.id, status="improved", candidate_hash=made.hash, evaluation=verdict
    )
    run = samples.run(config={evil: evil}, packages={evil: evil})
    html = render_report(run, [TaskRecord(samples.run(), task, result, attempts, calls)])
    assert "<script" not in html and "<img" not in html
    assert evil in Page(html).text


def test_every_decision_can_be_followed() -> None:
    attempts = history()
    calls = [samples.call("the answer", attempt=1), samples.call("of nobody", attempt=9)]
    text = page(TaskRecord(samples.run(), TASK, None, attempts, calls)).text
    assert "Went on from attempt 1. Not kept; repaired by attempt 3." in text
    assert "coder: openai/some-model, 1,200 tokens in, 800 tokens out, $0.0123" in text
    assert "Make this module faster. answer the answer" in text and "of nobody" not in text
    assert "dropped 1.50×" in text  # in the chart's table


def test_an_episode_can_be_followed() -> None:
    calls, steps = episode(attempt=1)
    found = TaskRecord(samples.run(), TASK, None, history(), calls, {1: steps})
    text = page(found).text
    assert "Make this module faster. edit, 0.2 s arguments old: a < b new: c result edited" in text
    assert "$0.0123; $0.0246 so far" in text
    assert "answer It fails. build, 2.5 s: error arguments flags: -O3 error kernel.cpp:3" in text
    assert "[2 of 9 calls]" in text and "my thoughts" not in text


def test_the_chart_is_described_and_has_a_table() -> None:
    found = page(story.improved_task())
    assert "11 attempts, 6 of them accepted and timed; best 2.35×." in found.text
    assert "2.35× (2.23–2.47×) 2.35×" in found.text
    assert ("svg", "role", "img") in found.attributes


def test_a_thousand_attempts_render_in_a_moment() -> None:
    attempts = [samples.attempt(index) for index in range(1000)]
    start = time.perf_counter()
    page(TaskRecord(samples.run(), samples.task(), samples.improved(), attempts, []))
    assert time.perf_counter() - start < 10
