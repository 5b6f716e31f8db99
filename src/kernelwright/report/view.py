"""The content of the HTML template in plain words: every wording is decided here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from kernelwright.delivery.scope import OUTSIDE
from kernelwright.report import conversation, decisions
from kernelwright.report import format as fmt
from kernelwright.report.authorship import authorship
from kernelwright.report.chart import Point, points, speedup_chart
from kernelwright.report.ideas import IdeaLine, idea_lines
from kernelwright.report.ordinary import conditions, ordinary_words
from kernelwright.report.uses import UseView, uses_view
from kernelwright.report.verdict import settling
from kernelwright.schema import (
    Attempt,
    Candidate,
    Correctness,
    Evaluation,
    OrdinaryRun,
    Origin,
    Speedup,
    WorkloadResult,
)
from kernelwright.store.records import TaskRecord
from kernelwright.store.results import TaskResult


class Headline(NamedTuple):
    """The outcome of a task, in the same words wherever it is shown."""

    tone: str
    """`win`, `none` or `infra`."""
    word: str
    """Short form, for a column of a table."""
    headline: str
    detail: str
    """One more sentence; may be empty."""


@dataclass(frozen=True)
class Figure:
    """One large number of the headline."""

    value: str
    meaning: str
    interval: str


@dataclass(frozen=True)
class AttemptView:
    """One line of the verdict trail."""

    index: int
    plan: str
    what: str
    tone: str
    """`win`, `ok`, `bad` or `infra`."""
    status: str
    reason: str
    places: list[str]
    """Sentences on where values are wrong."""
    speedup: str
    flags: list[str]
    cost: str
    time: str
    how: str
    """Decision of the search strategy, in words."""
    fate: str
    """Reason why it was kept or not."""
    diagnosis: str
    calls: list[CallView]


@dataclass(frozen=True)
class CallView:
    """One model call of an attempt."""

    title: str
    blocks: str
    """Tokens of the prompt's parts."""
    prompt: list[tuple[str, str]]
    """Role and text of each message that no earlier call of the same role had."""
    answer: str | None
    """None where there is none beside calls of tools."""
    steps: list[StepView]


@dataclass(frozen=True)
class StepView:
    """One call of a tool."""

    title: str
    arguments: str
    outcome: str
    """`result` or `error`."""
    result: str


@dataclass(frozen=True)
class WorkloadView:
    """One line of the table of workloads."""

    name: str
    times: list[str]
    speedups: list[str]
    error: str
    reference_error: str
    margin: str


@dataclass(frozen=True)
class TaskView:
    """One task's section."""

    anchor: str
    id: str
    tone: str
    """`win`, `none` or `infra`."""
    headline: str
    detail: str
    figures: list[Figure]
    ordinary: list[str]
    """Sentences on ordinary interpreters."""
    facts: list[tuple[str, str]]
    chart: Markup
    chart_rows: list[tuple[str, str, str]]
    workloads: list[WorkloadView]
    uses: list[UseView]
    scope: list[str]
    """The calls that the proof covers, and what happens elsewhere."""
    attempts: list[AttemptView]
    ideas: list[IdeaLine]
    diff: list[tuple[str, str]]
    source: str | None
    environment: list[tuple[str, str]]
    usage: list[tuple[str, str]]


def task_view(found: TaskRecord, position: int) -> TaskView:
    """Return the content of one task's section; `position` makes its ids unique in the page."""
    result, best = found.result, found.best
    final = result.evaluation if result else None
    answer = headline_of(result)
    marks, is_win = points(found.attempts), answer.tone == "win"
    return TaskView(
        anchor=f"task-{position}",
        id=found.task.id,
        tone=answer.tone,
        headline=answer.headline,
        detail=answer.detail,
        figures=_figures(final, result.ordinary) if result and final and is_win else [],
        ordinary=_ordinary(result.ordinary) if result and result.ordinary and is_win else [],
        facts=_facts(best, final),
        chart=speedup_chart(marks, f"chart-{position}"),
        chart_rows=[_chart_row(point) for point in marks],
        workloads=[_workload(one) for one in final.workloads] if final else [],
        uses=uses_view(final.uses) if final else [],
        scope=[*final.scope, *(OUTSIDE if result and result.scope else ())]
        if final and final.accepted
        else [],
        ideas=idea_lines(found.attempts),
        attempts=[_attempt(one, found) for one in found.attempts],
        diff=_diff(found.task.source, best.source) if best else [],
        source=best.source if best else None,
        environment=[(key, fmt.anything(value)) for key, value in _environment(found)],
        usage=_usage(found),
    )


def headline_of(result: TaskResult | None) -> Headline:
    """Return the headline of a task's answer; `result` is None while there is no answer."""
    if result is None:
        return Headline(
            "infra", "not finished", "Not finished", "The run ended before this task had an answer."
        )
    final = result.evaluation
    if result.has_failed:
        word = "unusable task" if result.status == "unusable" else "infrastructure error"
        return Headline("infra", word, f"No answer: {word}", result.error or "")
    if result.status == "improved" and final is not None:
        return Headline("win", "improved", _win(final), _win_detail(final))
    # The evaluation decides, not the status: records of earlier versions call it no improvement.
    if final is not None and final.is_undecided:
        headline = fmt.sentence(fmt.NOT_DECIDED).rstrip(".")
        return Headline("infra", fmt.NOT_DECIDED, headline, settling(final))
    why = _why_none(final, result.ordinary)
    return Headline("none", "no improvement", "No improvement found", why)


def _why_none(final: Evaluation | None, ordinary: OrdinaryRun | None) -> str:
    if final is None:
        return "No candidate was accepted; keep the reference."
    if not final.accepted:
        return f"The best candidate was refused: {final.reason}"
    if ordinary is not None and ordinary.right is False:
        return f"The best candidate was right before the judge. {ordinary_words(ordinary)}"
    best = f"Best accepted candidate against eager: {fmt.speedup(final.speedup.get('eager'))}."
    return f"{best} {_program(final)}".rstrip()


def found_by(origin: Origin) -> str:
    """Return a candidate's origin in words that claim no more than was done."""
    who = {
        "offline": "offline optimizer, no language model",
        "model": f"language model {origin.model or fmt.UNKNOWN}",
        "user": "given by the user",
    }[origin.kind]
    how = f" ({origin.strategy})" if origin.strategy else ""
    return f"{who}{how}: {origin.description}" if origin.description else f"{who}{how}"


def _win(final: Evaluation) -> str:
    against = final.speedup.get("compile")
    both = against is not None and against.is_faster
    mark = "" if final.is_validated else " (not validated)"
    return f"Faster than eager PyTorch{' and torch.compile' if both else ''}{mark}"


def _win_detail(final: Evaluation) -> str:
    eager = fmt.speedup(final.speedup["eager"])
    return f"{eager} the speed of eager PyTorch. {_against_compile(final)}"


def _against_compile(final: Evaluation) -> str:
    against = final.speedup.get("compile")
    if final.compiled == "baseline":
        return _program(final)
    return f"{_compared(against)} {_program(final)}".rstrip()


def _program(final: Evaluation) -> str:
    """Return a sentence on a program that is torch.compile's; empty for any other."""
    return fmt.sentence(final.compiled_words) if final.compiled else ""


def _compared(against: Speedup | None) -> str:
    if against is None:
        return "torch.compile was not measured."
    if against.is_faster or against.ci95[1] < 1:
        return f"{fmt.speedup(against)} the speed of torch.compile."
    return f"No measurable difference from torch.compile, {fmt.speedup(against)}."


def _figures(final: Evaluation, ordinary: OrdinaryRun | None) -> list[Figure]:
    names = {"eager": "the speed of eager PyTorch"}
    if final.compiled != "baseline":  # it has no speed over itself
        names["compile"] = "the speed of torch.compile"
    found = [_figure(final.speedup.get(key), meaning) for key, meaning in names.items()]
    if ordinary is not None and ordinary.speedup is not None:
        ratio, ends = ordinary.speedup.median, ordinary.speedup.pi95
        meaning = "the speed of eager, ordinary interpreter"
        found.append(Figure(fmt.ratio(ratio), meaning, f"one more run: {fmt.interval(ends)}"))
    return found


def _ordinary(run: OrdinaryRun) -> list[str]:
    return list(filter(None, [ordinary_words(run), conditions(run)]))


def _figure(value: Speedup | None, meaning: str) -> Figure:
    if value is None:
        return Figure("–", meaning, fmt.NOT_MEASURED)
    return Figure(fmt.ratio(value.median), meaning, f"95% interval {fmt.interval(value.ci95)}")


def _facts(best: Candidate | None, final: Evaluation | None) -> list[tuple[str, str]]:
    facts = []
    if best is not None:
        kind = fmt.sentence(authorship(final).words) if final else fmt.backend(best.backend)
        facts += [("What it is", kind), ("Found by", found_by(best.origin))]
    if final is not None:
        sandbox = final.sandbox
        facts += [
            ("Measured", f"level {final.level}, {final.tolerance} tolerance"),
            ("Sandbox", sandbox.kind),
            ("It holds", ", ".join(sandbox.holds) or "nothing stated"),
            ("It does not hold", ", ".join(sandbox.lacks) or "nothing stated"),
        ]
    if final is not None and final.evidence is not None:
        facts.append((f"Evidence ({final.evidence.level})", "; ".join(final.evidence.facts)))
        if final.evidence.hot_lines:
            facts.append(("Hot lines", "; ".join(final.evidence.hot_lines)))
    return facts


def _chart_row(point: Point) -> tuple[str, str, str]:
    shown = fmt.speedup(point.speedup) if point.speedup else point.outcome.replace("_", " ")
    best = "none yet" if point.best is None else fmt.ratio(point.best)
    return str(point.index), shown, best


def _workload(result: WorkloadResult) -> WorkloadView:
    keys = ("candidate", "eager", "compile")
    times = [result.timing[key].median_us if key in result.timing else None for key in keys]
    speedups = [fmt.speedup(result.speedup.get(key)) for key in ("eager", "compile")]
    found = result.correctness
    return WorkloadView(
        name=result.workload,
        times=[fmt.microseconds(one) for one in times],
        speedups=speedups,
        error=fmt.error_size(found.max_abs_error if found else None),
        reference_error=fmt.error_size(found.reference_max_abs_error if found else None),
        margin=_margin(found),
    )


def _margin(found: Correctness | None) -> str:
    if found is None or found.worst_margin is None:
        return fmt.UNKNOWN
    return f"{found.worst_margin:.0%} of allowed"


def _attempt(attempt: Attempt, found: TaskRecord) -> AttemptView:
    final = attempt.evaluation
    tone, status = _outcome(attempt)
    return AttemptView(
        index=attempt.number,
        plan=attempt.plan or "no plan recorded",
        what=fmt.backend(attempt.candidate.backend) if attempt.candidate else "",
        tone=tone,
        status=status,
        reason=final.reason if final else attempt.error or "",
        places=[fmt.sentence(one) for one in final.wrong.words] if final and final.wrong else [],
        speedup=_counted(final),
        flags=[
            f"{flag.rule} ({flag.severity}): {flag.evidence}"
            for flag in (final.flags if final else ())
        ],
        cost=fmt.dollars(attempt.usage.cost_usd),
        time=fmt.seconds(attempt.span.ended - attempt.span.started),
        how=fmt.sentence(decisions.how(attempt.move)),
        fate=fmt.sentence(decisions.fate(attempt, found.attempts)),
        diagnosis=attempt.diagnosis,
        calls=[_call(turn) for turn in _turns(attempt, found)],
    )


def _turns(attempt: Attempt, found: TaskRecord) -> list[conversation.Turn]:
    calls = decisions.calls_of(attempt, found.calls)
    return conversation.turns(calls, found.tool_steps.get(attempt.index, ()))


def _call(turn: conversation.Turn) -> CallView:
    call = turn.call
    answer = call.answer if call.answer is not None else f"no answer: {call.error}"
    return CallView(
        title=turn.title,
        blocks=decisions.blocks_line(call),
        prompt=[(message.role, message.text) for message in turn.said],
        answer=answer if turn.has_words else None,
        steps=[
            StepView(
                title=conversation.step_title(step),
                arguments=conversation.arguments_words(step),
                outcome="error" if step.is_error else "result",
                result=conversation.shortened(step.result),
            )
            for step in turn.steps
        ],
    )


def _counted(final: Evaluation | None) -> str:
    if final is None or not final.speedup:
        return fmt.NOT_MEASURED
    return fmt.speedup(final.speedup.get("eager")) if final.accepted else "not counted"


def _outcome(attempt: Attempt) -> tuple[str, str]:
    final = attempt.evaluation
    if attempt.dropped is not None:
        return "bad", "dropped"
    if final is None:
        return "infra", "infrastructure error"
    if final.is_undecided:
        return "infra", fmt.NOT_DECIDED
    if final.is_win:
        return "win", "faster"
    if final.accepted:
        return "ok", "right, not faster" if final.speedup else "right, not timed"
    refused = final.status.value == "passed"
    return "bad", "refused" if refused else final.status.value.replace("_", " ")


def _diff(reference: str, best: str) -> list[tuple[str, str]]:
    lines = difflib.unified_diff(
        reference.splitlines(), best.splitlines(), "reference", "optimized", lineterm=""
    )
    kinds = {"+": "added", "-": "removed", "@": "place"}
    named: list[tuple[str, str]] = []
    for number, line in enumerate(lines):
        named.append(("file" if number < 2 else kinds.get(line[:1], "same"), line))
    return named


def _environment(found: TaskRecord) -> list[tuple[str, object]]:
    evaluations: Sequence[Evaluation] = [one.evaluation for one in found.attempts if one.evaluation]
    if found.result and found.result.evaluation:
        return list(found.result.evaluation.environment.items())
    return list(evaluations[-1].environment.items()) if evaluations else []


def _usage(found: TaskRecord) -> list[tuple[str, str]]:
    total = found.usage
    return [
        ("Attempts", fmt.count(len(found.attempts))),
        ("Model calls", fmt.count(len(found.calls))),
        ("Input tokens", fmt.count(total.input_tokens)),
        ("Input tokens from the cache", fmt.count(total.cached_input_tokens)),
        ("Output tokens", fmt.count(total.output_tokens)),
        ("Cost", fmt.dollars(total.cost_usd)),
    ]
