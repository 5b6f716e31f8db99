"""Flags that set settings: one table of them, and the decorator that makes `Settings` of them.

Importing this must stay cheap, so the defaults are text here; a test compares them with `Settings`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer

Command = Callable[..., None]
KEYWORD = inspect.Parameter.KEYWORD_ONLY


class Flag(NamedTuple):
    """The flag of one setting."""

    names: tuple[str, ...]
    type: Any
    help: str
    default: str
    """The setting's default, as a user would write it; empty where no text does."""


FLAGS: dict[str, Flag] = {
    "model": Flag(("--model", "-m"), str, "offline, provider/name, or replay:FILE", "offline"),
    "backends": Flag(
        ("--backend", "-b"),
        list[str],
        "A language to propose in; may be repeated",
        "cpp, inductor, triton, cuda",
    ),
    "target": Flag(("--target",), str, "auto, cpu, cuda or cuda:N", "auto"),
    "search": Flag(("--search",), str, "Search strategy", "greedy"),
    "attempts": Flag(
        ("--attempts", "-n"),
        int,
        "Candidates per task [12; `optimize` with a model: as many as the budget allows]",
        "",
    ),
    "budget_usd": Flag(
        ("--budget-usd",),
        float,
        "Most dollars for model calls [5; 2,000,000 tokens where a price is not known]",
        "",
    ),
    "time_limit_s": Flag(
        ("--time-limit",),
        str,
        "Search time per task, like 90s or 10m [offline: 10m; with a model: none]",
        "",
    ),
    "sandbox": Flag(("--sandbox",), str, "auto, docker, bwrap or process", "auto"),
    "tolerance": Flag(("--tolerance",), str, "default or kernelbench", "default"),
    "policy": Flag(
        ("--policy",),
        str,
        "any, or custom: the work must be in code of the candidate's own",
        "any",
    ),
    "uses": Flag(
        ("--uses",),
        str,
        "flag or refuse: a use in which it is silently wrong, or crashes, refuses",
        "flag",
    ),
    "seed": Flag(("--seed",), int, "Seed of the search", "0"),
    "threads": Flag(("--threads",), int, "CPU threads per worker", "all"),
    "out": Flag(("--out",), Path, "Folder for results", "runs"),
    "store": Flag(("--store",), str, "Database of runs, a path", ""),
}
"""Flags by the setting that they set."""
SEARCH = ("model", "backends", "target", "search", "attempts", "budget_usd", "time_limit_s")
JUDGE = ("sandbox", "tolerance", "policy")


def with_settings(
    *names: str, **fixed: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a command with a parameter `settings`: flags take its place.

    Args:
        names: settings that have a flag.
        fixed: settings that the command decides itself.
    """

    def decorate(command: Command) -> Command:
        bare = functools.partial(command)  # without `settings`, whose type isn't imported
        skipped = ("settings", "return")
        bare.__annotations__ = {
            name: text for name, text in command.__annotations__.items() if name not in skipped
        }
        known = get_type_hints(bare, vars(inspect.getmodule(command)), include_extras=True)
        parameters: list[inspect.Parameter] = []
        for name, own in inspect.signature(command).parameters.items():
            if name == "settings":
                parameters += map(_parameter, names)
            else:
                parameters.append(own.replace(kind=KEYWORD, annotation=known[name]))

        def run(**given: Any) -> None:
            from kernelwright.config import load_settings

            flags = {name: given.pop(name) for name in names}
            command(settings=load_settings({**fixed, **flags}).settings, **given)

        shown: Any = run
        shown.__name__, shown.__doc__ = command.__name__, command.__doc__
        shown.__signature__ = inspect.Signature(parameters)
        shown.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    flag = FLAGS[name]
    words = f"{flag.help} [{flag.default}]." if flag.default else f"{flag.help}."
    option = typer.Option(*flag.names, help=words)
    annotation: Any = Annotated[flag.type | None, option]
    return inspect.Parameter(name, KEYWORD, default=None, annotation=annotation)
