"""`kernelwright.optimize`: one run, from a live module to its `Optimized`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from kernelwright.agents.optimize import optimize_task
from kernelwright.batch.run import new_run_id, open_run, require_budget
from kernelwright.cli.names import check_names
from kernelwright.cli.optimize import write_files
from kernelwright.cli.progress import shown_progress
from kernelwright.cli.run import announce
from kernelwright.config import Settings, stored_settings
from kernelwright.errors import InfrastructureError, StoreError, UsageError
from kernelwright.live.module import FastPath, delivered, fast_view
from kernelwright.live.optimized import Live, Optimized
from kernelwright.live.settings import settings_of
from kernelwright.live.trial import problem_of
from kernelwright.report.result import RESULT, write_result
from kernelwright.reproduce.files import candidate_file_name
from kernelwright.schema import Size, Task
from kernelwright.store.files import require_writable, write_atomically
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store, open_existing
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import checked_task
from kernelwright.tasks.export.files import class_module
from kernelwright.tasks.export.program import require_exportable, require_one_device
from kernelwright.tasks.export.source import WrittenTask, mode_words
from kernelwright.tasks.loader import load_task, names_class, task_of

SUITE = "live"
"""The first part of the ids of tasks that were written from live modules."""
NOTES = ("library: ", "no kernels: ")
"""Beginnings of what the search says about a module that it has no kernel for."""


class Given(NamedTuple):
    """A live module with the call that it is optimized for, and the task written from it."""

    module: nn.Module
    form: CallForm
    written: WrittenTask


def optimize(
    module: nn.Module | str | Path,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    inputs: str | Path | None = None,
    overrides: Mapping[str, Size] | None = None,
    run: str | None = None,
    **settings: Any,
) -> Optimized:
    """Find a faster implementation of a module, prove it, and put it in front of the module.

    Args:
        module: a live module, in the mode that it is used in; or `path.py:Class`, the path of a
            task file, or an id of the library.
        args: what its forward takes, as of the calls that are to be fast: a tuple.
        kwargs: the same by name.
        inputs: of `path.py:Class`: a file with its inputs, as --inputs of the command takes it.
        overrides: of a task file: values for its size constants, as --set of the command.
        run: continue this interrupted run, or return what it found where it is done.
        settings: any setting, under its name: model, attempts, budget_usd, time_limit_s, store, ...

    Raises:
        UsageError: the module can't be exported, a setting is not valid, or the run is another's.
        PrerequisiteError: this machine lacks something.
        KeyboardInterrupt: it was interrupted; how to continue is printed.
    """
    chosen = settings_of("optimize", settings)
    check_names(chosen)
    given = None
    if isinstance(module, nn.Module) or not isinstance(module, (str, Path)):
        given = given_module(require_exportable(module), args, kwargs or {}, chosen)
    elif names_class(str(module)):
        made = class_module(str(module), Path(inputs) if inputs else None)
        given = given_module(*made, chosen)
    if given is None:
        task = load_task(str(module), overrides, chosen.tolerance)
    else:
        identity = f"{SUITE}/{type(given.module).__name__}"
        task = task_of(given.written.source, identity, chosen.tolerance)
    found = _run(task, chosen, run)
    live = None if given is None else live_module(given, found.file)
    return Optimized(found.run_id, found.result, found.folder, found.file, found.notes, live)


def given_module(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], settings: Settings
) -> Given:
    """Return a live module with its written task, compared.

    Raises:
        UsageError: it can't be exported; the sentence says why.
    """
    form = CallForm(module.forward, args, kwargs)
    require_one_device(module, form, "cuda" if settings.target.startswith("cuda") else "cpu")
    return Given(module, form, checked_task(module, form))


def live_module(given: Given, file: Path | None) -> Live:
    """Return a live module with a proven file in front of it, after three uses of both.

    Args:
        file: the proven file; None: nothing was found.
    """
    fixed = (f"mode: {mode_words(given.module)}", *given.form.fixed_words)
    if file is None:
        return Live(given.module, fixed)
    path = FastPath(given.module, given.form, given.written, delivered(file))
    view = fast_view(given.module, path)
    problem = problem_of(given.module, view, given.form, path)
    if problem is not None:
        return Live(given.module, fixed, problem=problem)
    return Live(given.module, fixed, view, path)


class _Found(NamedTuple):
    """The answer of a run as it is stored."""

    run_id: str
    result: TaskResult
    folder: Path
    notes: tuple[str, ...]
    """Words of the search on what it has no kernel for."""

    @property
    def file(self) -> Path | None:
        """The proven file; None where nothing was found."""
        is_win = self.result.status == "improved"
        return self.folder / candidate_file_name(self.result.task_id) if is_win else None


def _run(task: Task, settings: Settings, known: str | None) -> _Found:
    """Run the optimization of a task, or the rest of a stored run of it."""
    if known is not None:
        with open_existing(settings.store) as store:
            run_id, task, settings, folder = _stored(store, task, settings, known)
            run = store.get_run(run_id)
            if run.status == "done":
                if not (folder / RESULT).is_file():
                    write_result(folder, run, store.task_record(run, task.id))
                return _found(store, run_id, task, folder)
    else:
        require_budget(settings, [task])
        run_id = new_run_id()
        folder = (settings.out / run_id).absolute()
    config = {"task": task.id, "overrides": task.overrides, "folder": str(folder)}
    with (
        _said_how_to_continue(run_id),
        shown_progress(settings.search_settings.attempts) as progress,
        open_run("optimize", settings, config, run_id, progress) as opened,
    ):
        require_writable(folder)
        write_atomically(folder / f"{task.id.rpartition('/')[2]}.py", task.source)
        opened.store.add_task(run_id, task)
        announce(settings, [task], progress.say)
        optimize_task(opened.engine, task)
        write_files(opened, task, folder)
        return _found(opened.store, run_id, task, folder)


def _found(store: Store, run_id: str, task: Task, folder: Path) -> _Found:
    result = store.task_record(store.get_run(run_id), task.id).result
    assert result is not None
    said = (event.text.removeprefix(f"{task.id}: ") for event in store.events_of(run_id))
    notes = tuple(dict.fromkeys(text for text in said if text.startswith(NOTES)))
    return _Found(run_id, result, folder, notes)


def _stored(
    store: Store, task: Task, settings: Settings, known: str
) -> tuple[str, Task, Settings, Path]:
    """Return a stored run's id, task, settings and folder. Raises UsageError if it is another's.

    Weights and inputs may be others than they were: they are drawn in the file.
    """
    run = store.get_run(known)
    tasks = [one for one in store.tasks_of(run.id) if one.id == task.id]
    if not tasks:
        raise UsageError(
            f"run {run.id!r} is not of {task.id!r}", hint="kernelwright.runs() lists them"
        )
    if _forward_of(tasks[0]) != _forward_of(task):
        raise UsageError(
            f"run {run.id!r} is of a {task.id!r} that computes something else",
            hint="leave run= out: this needs a run of its own",
        )
    values = {name: run.config[name] for name in Settings.model_fields if name in run.config}
    own = stored_settings({**values, "store": settings.store})
    return run.id, tasks[0], own, Path(run.config["folder"])


def _forward_of(task: Task) -> str:
    """Return the text of a written task between its constructor and its inputs."""
    return task.source.partition("    def forward(")[2].partition("\ndef get_inputs(")[0]


@contextmanager
def _said_how_to_continue(run_id: str) -> Iterator[None]:
    hint = f"to continue: optimize(module, args, run={run_id!r})"
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {hint}", file=sys.stderr, flush=True)
        raise
    except (InfrastructureError, StoreError):
        print(f"stopped; {hint}", file=sys.stderr, flush=True)
        raise
