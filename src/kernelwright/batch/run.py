"""A run: its record in the store, from its start to however it ends."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from kernelwright.agents.engine import Engine, Progress, Unobserved
from kernelwright.agents.proposer_factory import proposer_factory
from kernelwright.agents.roles import allowances, models, require_limit
from kernelwright.agents.search.strategy import open_strategy
from kernelwright.agents.search_context import go_on
from kernelwright.backends.registry import require_backends
from kernelwright.batch.alone import alone
from kernelwright.batch.provenance import git_state, package_versions
from kernelwright.config import FIRST_DEFAULTS, LIMITS_AND_PLACES, OFFLINE, Settings
from kernelwright.errors import KernelwrightError, UsageError
from kernelwright.sandbox.machine import open_machine
from kernelwright.schema import Criteria, Run, RunCommand, RunStatus, Task, Usage
from kernelwright.store.store import Store, open_store


class OpenRun(NamedTuple):
    """An open run, with its store and its engine."""

    run: Run
    store: Store
    engine: Engine


def new_run_id() -> str:
    """Return a new run id, sortable by time and unlike any other run's."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)


@contextmanager
def open_run(
    command: RunCommand,
    settings: Settings,
    config: Mapping[str, Any],
    run_id: str | None = None,
    progress: Progress | None = None,
    checkpoint: Callable[[], None] = go_on,
) -> Iterator[OpenRun]:
    """Open a run, new or known; its end is recorded however it ends.

    Args:
        config: values that define the run besides the settings.
        run_id: continue this run where the store knows it.
        progress: an observer, told what happens; None: there is none.
        checkpoint: called before anything new is started; raises KeyboardInterrupt to end the run.

    Raises:
        UsageError: another process works on the run, it was started with other settings, or there
            is no such search strategy.
        PrerequisiteError: the machine, or one of the backends, is not there.
        StoreError: the store can't be opened.
    """
    open_strategy(settings.search)  # an unknown one is no task's fault
    run_id = run_id or new_run_id()
    with (
        open_store(settings.store) as store,
        alone(run_id),
        open_machine(settings.machine) as machine,
    ):
        backends = require_backends(settings.backends, machine.kind)
        run = _start(store, command, settings, config, run_id)
        with _recorded_end(store, run):
            engine = Engine(
                run_id=run.id,
                store=store,
                machine=machine,
                cache=settings.cache_dir,
                criteria=Criteria(policy=settings.policy, uses=settings.uses),
                search=settings.search_settings,
                backends=tuple(backend.name for backend in backends),
                make_proposer=proposer_factory(settings, store, run.id),
                progress=progress or Unobserved(),
                checkpoint=checkpoint,
            )
            yield OpenRun(run, store, engine)


def require_budget(settings: Settings, tasks: Sequence[Task]) -> None:
    """Raise UsageError where no limit holds, or it leaves no room for a call on any task."""
    if settings.model != OFFLINE:
        from kernelwright.agents.model.estimate import require_room

        require_limit(settings)
        planner = models(settings)["planner"]
        require_room(allowances(settings), planner, tasks, settings.price, settings.answer_tokens)


def _start(
    store: Store,
    command: RunCommand,
    settings: Settings,
    config: Mapping[str, Any],
    run_id: str,
) -> Run:
    known = store.find_run(run_id)
    if known is not None:
        _require_same(known, settings, config)
        return store.update_run(run_id, status="running")
    commit, dirty = git_state()
    run = Run(
        id=run_id,
        command=command,
        config={**settings.model_dump(mode="json"), **config},
        git_commit=commit,
        git_dirty=dirty,
        packages=package_versions(),
        started=time.time(),
    )
    store.add_run(run)
    return run


def _require_same(run: Run, settings: Settings, config: Mapping[str, Any]) -> None:
    """Raise UsageError where a run was started with other settings than it is continued with.

    Limits and places may differ. A setting that an earlier version did not store had its default,
    and one that had the default of that version has today's.
    """
    wanted = json.loads(json.dumps({**settings.model_dump(mode="json"), **config}))
    defaults = Settings().model_dump(mode="json")
    stored = {**defaults, **run.config}
    is_earlier = not defaults.keys() <= run.config.keys()
    for name, first in FIRST_DEFAULTS.items() if is_earlier else ():
        if stored[name] == first and wanted[name] == defaults[name]:
            stored[name] = wanted[name]
    changed = [k for k, v in wanted.items() if k not in LIMITS_AND_PLACES and stored.get(k) != v]
    if changed:
        raise UsageError(
            f"run {run.id!r} was started with other settings: {', '.join(sorted(changed))}",
            hint="give another --run name, or the settings that `runs show` prints",
        )


@contextmanager
def _recorded_end(store: Store, run: Run) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        finish(store, run, "interrupted")
        raise
    except Exception as error:  # recorded, whatever it is, and raised again
        words = error.message if isinstance(error, KernelwrightError) else _internal(error)
        finish(store, run, "failed", words)
        raise
    # A result that holds the run's end was perhaps written: a run that is done ends once.
    if store.get_run(run.id).status != "done":
        finish(store, run, "done")


def _internal(error: Exception) -> str:
    return f"internal error: {type(error).__name__}: {error}"


def finish(store: Store, run: Run, status: RunStatus, error: str | None = None) -> Run:
    """Store a run's end and the usage of all its model calls; return the run as stored.

    Args:
        error: the reason, where the run has failed.
    """
    usage = sum((call.usage for call in store.model_calls_of(run.id)), Usage.zero())
    ended = time.time()
    return store.update_run(run.id, status=status, ended=ended, usage=usage, error=error)
