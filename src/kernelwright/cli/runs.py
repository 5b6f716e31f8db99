"""`kernelwright runs`: stored runs, their attempts and reports."""

from __future__ import annotations

import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import with_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernelwright.config import Settings
    from kernelwright.report.conversation import Turn
    from kernelwright.schema import Attempt, Run
    from kernelwright.store.results import Outcome
    from kernelwright.store.store import Store

app = typer.Typer(no_args_is_help=True, help="Look at runs, and continue them.")

LONGEST_HINT = 2_000
RunId = Annotated[str, typer.Argument(help="A run's id, or its unique beginning.")]


def _open(settings: Settings) -> Store:
    from kernelwright.store.store import open_existing

    return open_existing(settings.store)


def _latest(settings: Settings, limit: int) -> Sequence[tuple[Run, Sequence[Outcome], bool]]:
    """Return the latest runs, with outcomes and whether each has died.

    None where the user's own store does not exist yet.
    """
    import os

    from kernelwright.config import default_store

    own = default_store(os.environ)
    if settings.store == own and not Path(own).exists():
        return []
    with _open(settings) as opened:
        runs = opened.list_runs(limit)
        return [(run, opened.outcomes_of(run.id), _has_died(opened, run)) for run in runs]


def _has_died(store: Store, run: Run) -> bool:
    """Return whether a run was left as running. Unknown, and False, where a server has the store.

    There the process may be on another machine.
    """
    from kernelwright.batch.alone import has_died

    return store.sqlite_path is not None and has_died(run)


@app.command("list")
@with_settings("store")
def list_runs(
    settings: Settings,
    limit: Annotated[int, typer.Option("-n", min=1, help="The latest so many.")] = 20,
    json: options.Json = False,
) -> None:
    """List the latest runs, with what came of them."""
    from json import dumps

    from kernelwright.report.runs import run_document, run_line

    found = _latest(settings, limit)
    if json:
        typer.echo(dumps([run_document(*one) for one in found], indent=2))
        return
    whats = [run.config.get("task") or f"{len(outcomes)} tasks" for run, outcomes, _ in found]
    ids = max((len(run.id) for run, _, _ in found), default=0)
    width = max(map(len, whats), default=0)
    for (run, outcomes, died), what in zip(found, whats, strict=True):
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
        line = f"{run.id:<{ids}}  {run.command:<8}  {started}  {what:<{width}}"
        typer.echo(f"{line}  {run_line(run, outcomes, died)}")


@app.command("show")
@with_settings("store")
def show(
    run: RunId,
    settings: Settings,
    attempt: Annotated[
        int | None,
        typer.Option(min=1, help="Everything about one attempt: plan, prompts, answers, verdict."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Only one of the run's tasks, by its id or the end of it.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a run's settings, tasks, attempts and answers; or all about one attempt."""
    from json import dumps

    from kernelwright.cli.progress import outcome
    from kernelwright.report.decisions import how
    from kernelwright.report.ideas import idea_documents, idea_lines
    from kernelwright.report.runs import run_document

    if attempt is not None:
        with _open(settings) as opened:
            _show_attempt(opened, opened.get_run(run), attempt, task, json)
        return
    with _open(settings) as opened:
        found = opened.get_run(run)
        only = task and _known_task(opened, found, task)
        attempts = opened.attempts_of(found.id, only)
        results = [r for r in opened.task_results_of(found.id) if only in (None, r.task_id)]
        start = f"{only}: " if only else ""
        events = [e for e in opened.events_of(found.id) if e.text.startswith(start)]
        outcomes, died = opened.outcomes_of(found.id), _has_died(opened, found)
    if json:
        document = {
            "run": run_document(found, outcomes, died),
            "attempts": [one.model_dump(mode="json") for one in attempts],
            "ideas": {name: idea_documents(own) for name, own in _by_task(attempts)},
            "events": [event.model_dump(mode="json") for event in events],
            "results": [result.model_dump(mode="json") for result in results],
        }
        typer.echo(dumps(document, indent=2))
        return
    _print_run(found, outcomes, died)
    for one in attempts:
        typer.echo(f"{one.task_id}: attempt {one.number}: {outcome(one)}; {how(one.move)}")
    for name, own in _by_task(attempts):
        for idea in idea_lines(own):
            typer.echo(f"{name}: idea {idea.words}")
    # A continued run repeats events of its earlier parts.
    for text in dict.fromkeys(event.text for event in events):
        typer.echo(text)
    if results:
        from kernelwright.report.terminal import open_questions, results_text

        waiting = [one.task_id for one in outcomes if one.status is None and not only]
        typer.echo(results_text(results, waiting))
        if questions := open_questions(results):
            typer.echo(questions)


def _by_task(attempts: Sequence[Attempt]) -> list[tuple[str, list[Attempt]]]:
    """Return the attempts of each task, in the order in which the store has them."""
    return [(name, list(own)) for name, own in groupby(attempts, lambda one: one.task_id)]


def _show_attempt(store: Store, run: Run, number: int, task: str | None, json: bool) -> None:
    from json import dumps

    from kernelwright.errors import UsageError
    from kernelwright.report.conversation import turns
    from kernelwright.report.decisions import calls_of

    wanted = _known_task(store, run, task)
    record = store.task_record(run, wanted)
    found = next((one for one in record.attempts if one.number == number), None)
    if found is None:
        known = len(record.attempts)
        raise UsageError(f"{wanted!r} has no attempt {number}", hint=f"it has {known} attempts")
    calls, steps = calls_of(found, record.calls), record.tool_steps.get(found.index, ())
    if json:
        document = {
            "attempt": found.model_dump(mode="json"),
            "calls": [call.model_dump(mode="json") for call in calls],
            "tool_steps": [step.model_dump(mode="json") for step in steps],
        }
        typer.echo(dumps(document, indent=2))
        return
    _print_attempt(found, record.attempts, turns(calls, steps))


def _known_task(store: Store, run: Run, named: str | None) -> str:
    """Return the id of a run's task: its only one, or the named one.

    Raises:
        UsageError: the run has no task of that name, or several and none was named.
    """
    from kernelwright.errors import UsageError, did_you_mean

    tasks = [one.id for one in store.tasks_of(run.id)]
    if named in tasks:
        return named
    meant = [id_ for id_ in tasks if named in (None, id_.rpartition("/")[2])]
    if len(meant) == 1:
        return meant[0]
    what = "" if named is None else f" {named!r}"
    raise UsageError(
        f"run {run.id!r} has {'several tasks' if meant else 'no task'}{what}",
        hint=f"give one with --task; {did_you_mean(named or '', tasks)}",
    )


def _print_attempt(
    attempt: Attempt, attempts: Sequence[Attempt], conversation: Sequence[Turn]
) -> None:
    from kernelwright.agents.search.ideas import own_ideas
    from kernelwright.cli.progress import outcome
    from kernelwright.report.decisions import fate, how
    from kernelwright.report.format import cost
    from kernelwright.report.ideas import idea_lines
    from kernelwright.report.verdict import found_words

    typer.echo(f"attempt {attempt.number} of {attempt.task_id}: {how(attempt.move)}")
    typer.echo(f"plan: {attempt.plan}" + (f" [idea {attempt.idea}]" if attempt.idea else ""))
    for idea in idea_lines(attempts):
        if idea.name in own_ideas(attempt):
            typer.echo(f"  idea {idea.words.strip()}")
    for turn in conversation:
        _print_turn(turn)
    if attempt.candidate is not None:
        typer.echo(f"\n--- candidate {attempt.candidate.hash[:12]}\n\n{attempt.candidate.source}")
    typer.echo(f"\nverdict: {outcome(attempt)}")
    for line in found_words(attempt.evaluation) if attempt.evaluation else []:
        typer.echo(f"  {line}")
    if attempt.diagnosis:
        typer.echo(f"profiler: {attempt.diagnosis}")
    typer.echo(f"kept: {fate(attempt, attempts)}")
    typer.echo(f"cost: {cost(attempt.usage)}")


def _print_turn(turn: Turn) -> None:
    from kernelwright.report.conversation import arguments_words, shortened, step_title
    from kernelwright.report.decisions import blocks_line

    call = turn.call
    typer.echo(f"\n--- {turn.title}")
    if blocks := blocks_line(call):
        typer.echo(f"tokens by block, about: {blocks}")
    for message in turn.said:
        typer.echo(f"\n[{message.role}]\n{message.text}")
    if turn.has_words:
        typer.echo(f"\n[answer]\n{call.answer if call.answer is not None else call.error}")
    for step in turn.steps:
        typer.echo(f"\n[calls {step_title(step)}]\n{arguments_words(step)}")
        typer.echo(f"[{'error' if step.is_error else 'result'}]\n{shortened(step.result)}")


def _print_run(run: Run, outcomes: Sequence[Outcome], died: bool) -> None:
    from kernelwright.report.format import cached, cost
    from kernelwright.report.runs import came_of, state

    answer = f"; {words}" if (words := came_of(outcomes)) else ""
    paid = ", ".join(filter(None, (cost(run.usage), cached(run.usage))))
    typer.echo(f"{run.id}: {run.command}, {paid}, {state(run, died)}{answer}")
    for name, value in run.config.items():
        typer.echo(f"  {name} = {value}")


@app.command("report")
@with_settings("store")
def report(
    run: RunId,
    settings: Settings,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write the HTML report of a run, one self-contained file."""
    from kernelwright.report.html import render_report
    from kernelwright.store.files import write_atomically

    with _open(settings) as opened:
        found = opened.get_run(run)
        if _has_died(opened, found):
            found = found.model_copy(update={"status": "interrupted"})
        write_atomically(out, render_report(found, list(opened.task_records(found))))
    typer.echo(out)


@app.command("hint")
@with_settings("store")
def hint(
    run: RunId,
    text: Annotated[str, typer.Argument(help="What the planner should know, in plain words.")],
    settings: Settings,
    task: Annotated[
        str | None, typer.Option(help="One of the run's tasks, by its id or the end of it.")
    ] = None,
) -> None:
    """Give a search that is running a hint: the next attempt's planner is shown it, once.

    A run that was interrupted has it when it is continued.
    """
    from kernelwright.config import OFFLINE
    from kernelwright.errors import UsageError

    words = " ".join(text.split())
    if not 0 < len(words) <= LONGEST_HINT:
        raise UsageError(f"a hint has 1 to {LONGEST_HINT:,} characters", "say it in a few lines")
    with _open(settings) as opened:
        found = opened.get_run(run)
        wanted = _known_task(opened, found, task)
        if found.status == "done":
            raise UsageError(f"run {found.id!r} is done", hint="hints are for a search")
        if found.config["model"] == OFFLINE:
            raise UsageError(
                f"run {found.id!r} has no model to tell it", hint="give --model in a new run"
            )
        opened.add_hint(found.id, wanted, words)
        opened.add_event(found.id, f"{wanted}: hint by the user: {words}")
    typer.echo(f"{wanted}: the next planner is shown it")


@app.command("graph")
def graph() -> None:
    """Print the graph that every search goes through, as Mermaid text."""
    from kernelwright.agents.workflow import search_graph

    typer.echo(search_graph().compile().get_graph(xray=True).draw_mermaid())


@app.command("resume")
@with_settings("store")
def resume(run: RunId, settings: Settings, json: options.Json = False) -> None:
    """Continue an interrupted `optimize` run with the settings it was started with.

    One that is done, but that a busy machine left undecided, is proven again.
    """
    from kernelwright.cli.optimize import run_optimize
    from kernelwright.config import Settings as Known
    from kernelwright.config import stored_settings
    from kernelwright.errors import UsageError

    with _open(settings) as opened:
        found = opened.get_run(run)
        tasks = opened.tasks_of(found.id)
        is_open = any(result.is_open for result in opened.task_results_of(found.id))
    if found.command != "optimize":
        raise UsageError(
            f"run {found.id!r} is a {found.command} run", hint="give the same command again"
        )
    if not tasks:
        raise UsageError(
            f"run {found.id!r} was stopped before it had a task", hint="give its command again"
        )
    if found.status == "done" and not is_open:
        raise UsageError(f"run {found.id!r} is done", hint="`kernelwright runs show` prints it")
    known = {name: found.config[name] for name in Known.model_fields if name in found.config}
    own = stored_settings({**known, "store": settings.store})
    run_optimize(tasks[0], own, Path(found.config["folder"]), json, found.id)
