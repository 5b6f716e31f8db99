"""Parts of the commands that run candidates: opening a run, recording its end, interrupts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any, Literal, NamedTuple

import typer

from kernelwright.agents.engine import Engine, Progress
from kernelwright.agents.proposer_factory import proposer_factory
from kernelwright.agents.roles import allowances, models, run_allowance
from kernelwright.agents.search.strategy import open_strategy
from kernelwright.backends.registry import require_backends
from kernelwright.cli.machine import command_machine
from kernelwright.config import LIMITS_AND_PLACES, OFFLINE, Allowance, Settings
from kernelwright.errors import InfrastructureError, PrerequisiteError, StoreError, UsageError
from kernelwright.sandbox.leases import try_lock
from kernelwright.schema import Run, RunStatus, Task, Usage
from kernelwright.store.store import Store, open_store

PACKAGES = (
    "kernelwright",
    "torch",
    "langgraph",
    "openai",
    "anthropic",
    "optuna",
    "pydantic",
    "triton",
)
INTERRUPTED = 130


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
    command: Literal["optimize", "bench", "demo"],
    settings: Settings,
    progress: Progress,
    config: dict[str, Any],
    run_id: str | None = None,
    resume_hint: str | None = None,
) -> Iterator[OpenRun]:
    """Open a run, new or known; its end is recorded however it ends.

    Args:
        config: values that define the run besides the settings.
        run_id: continue this run where the store knows it.
        resume_hint: the command that continues the run; printed when it is interrupted.

    Raises:
        UsageError: another process works on the run, or it was started with other settings.
    """
    store = open_store(settings.store)
    strategy = open_strategy(settings.search)
    run_id = run_id or new_run_id()
    with _alone(run_id), command_machine(settings) as machine, store, draining() as checkpoint:
        backends = require_backends(settings.backends, machine.kind)
        run = _start(store, command, settings, config, run_id)
        with _recorded_end(store, run, resume_hint):
            engine = Engine(
                run_id=run.id,
                store=store,
                machine=machine,
                cache=settings.cache_dir,
                policy=settings.policy,
                uses=settings.uses,
                strategy=strategy,
                backends=tuple(backend.name for backend in backends),
                seed=settings.seed,
                attempts=settings.attempts,
                patience=settings.patience,
                proposals=settings.proposals,
                halving=settings.halving,
                time_limit_s=settings.time_limit_s,
                make_proposer=proposer_factory(settings, store, run.id),
                progress=progress,
                checkpoint=checkpoint,
            )
            yield OpenRun(run, store, engine)


@contextmanager
def _alone(run_id: str) -> Iterator[None]:
    with try_lock(f"run-{run_id}") as is_locked:
        if not is_locked:
            raise UsageError(
                f"another process is working on run {run_id!r}", hint="wait for it, or stop it"
            )
        yield


def require_budget(settings: Settings, tasks: Sequence[Task]) -> None:
    """Raise UsageError where the budget leaves no room for a call on any of the tasks."""
    if settings.model != OFFLINE:
        from kernelwright.agents.model.estimate import require_room

        require_room(allowances(settings), models(settings)["planner"], tasks)


def announce(settings: Settings, tasks: Sequence[Task]) -> None:
    """Print the plan and its estimated cost, before a model is asked."""
    if settings.model == OFFLINE:
        return
    from kernelwright.agents.model.estimate import estimate

    by_role = models(settings)
    found = estimate(settings, by_role, tasks)
    names = ", ".join(f"{role} {name}" for role, name in by_role.items())
    cost = "cost unknown (a price is missing)" if found.usd is None else f"about ${found.usd:.2f}"
    typer.echo(
        f"plan: {settings.search}, up to {settings.attempts} attempts a task; {names}", err=True
    )
    limits = ", ".join(_limits(run_allowance(settings)))
    typer.echo(f"estimate: up to {found.calls} calls, {cost}; limit: {limits}", err=True)


def _limits(allowance: Allowance) -> Iterator[str]:
    for name, value in allowance.model_dump(exclude_none=True).items():
        yield f"${value:.2f}" if name == "usd" else f"{value:,} {name}"


def _start(
    store: Store,
    command: Literal["optimize", "bench", "demo"],
    settings: Settings,
    config: dict[str, Any],
    run_id: str,
) -> Run:
    known = {run.id: run for run in store.list_runs(None)}
    if run_id in known:
        _require_same(known[run_id], settings, config)
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


def _require_same(run: Run, settings: Settings, config: dict[str, Any]) -> None:
    """Raise UsageError where a run was started with other settings than it is continued with.

    Limits and places may differ. A setting that an earlier version did not store had its default.
    """
    wanted = json.loads(json.dumps({**settings.model_dump(mode="json"), **config}))
    stored = {**Settings().model_dump(mode="json"), **run.config}
    changed = [k for k, v in wanted.items() if k not in LIMITS_AND_PLACES and stored.get(k) != v]
    if changed:
        raise UsageError(
            f"run {run.id!r} was started with other settings: {', '.join(sorted(changed))}",
            hint="give another --run name, or the settings that `runs show` prints",
        )


@contextmanager
def _recorded_end(store: Store, run: Run, resume_hint: str | None) -> Iterator[None]:
    hint = resume_hint or f"kernelwright runs resume {run.id}"
    status: RunStatus = "failed"
    try:
        yield
        status = "done"
    except KeyboardInterrupt:
        status = "interrupted"
        typer.echo(f"interrupted; to continue: {hint}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (InfrastructureError, StoreError):
        typer.echo(f"stopped; to continue: {hint}", err=True)
        raise
    finally:
        finish(store, run, status)


def finish(store: Store, run: Run, status: RunStatus) -> Run:
    """Store a run's end and the usage of all its model calls; return the run as stored."""
    usage = sum((call.usage for call in store.model_calls_of(run.id)), Usage.zero())
    return store.update_run(run.id, status=status, ended=time.time(), usage=usage)


@contextmanager
def draining() -> Iterator[Callable[[], None]]:
    """Take the first Ctrl-C or SIGTERM as a request to end soon, the second as one to end now.

    Yields:
        A function to call before anything new is started; it raises KeyboardInterrupt after the
        first request.
    """
    asked = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        typer.echo("finishing what is running; once more to stop now", err=True)

    def checkpoint() -> None:
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (SIGINT, SIGTERM)}
    try:
        yield checkpoint
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def git_state(but: str = "") -> tuple[str | None, bool | None]:
    """Return the commit of the working folder's repository, and whether it has changes.

    Both are None outside a repository.

    Args:
        but: a folder in which changes do not count.
    """
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--", ".", *([f":!{but}"] if but else []))
    return commit, None if commit is None or status is None else bool(status)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def package_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def require_writable(folder: Path) -> None:
    """Raise PrerequisiteError where results could not be written, before anything is spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write to {str(folder)!r}: {error.strerror}", hint="choose another with --out"
        ) from error
