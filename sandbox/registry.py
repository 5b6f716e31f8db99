"""The sandboxes there are, by name."""

from __future__ import annotations

from collections.abc import Callable

from kernelwright.errors import PrerequisiteError, UsageError, did_you_mean
from kernelwright.sandbox.base import Sandbox


def _docker() -> Sandbox:
    from kernelwright.sandbox.docker.sandbox import DockerSandbox

    return DockerSandbox()


def _bwrap() -> Sandbox:
    from kernelwright.sandbox.bwrap import BwrapSandbox

    return BwrapSandbox()


def _process() -> Sandbox:
    from kernelwright.sandbox.process import ProcessSandbox

    return ProcessSandbox()


# The strongest first.
SANDBOXES: dict[str, Callable[[], Sandbox]] = {
    "docker": _docker,
    "bwrap": _bwrap,
    "process": _process,
}


def open_sandbox(name: str) -> Sandbox:
    """Open the named sandbox; `auto` is the strongest there is.

    Raises:
        UsageError: there is none of that name.
        PrerequisiteError: it can't be had on this machine.
    """
    if name == "auto":
        return open_strongest()
    if name not in SANDBOXES:
        raise UsageError(f"unknown sandbox {name!r}", hint=did_you_mean(name, ["auto", *SANDBOXES]))
    return SANDBOXES[name]()


def open_strongest() -> Sandbox:
    """Open the strongest sandbox that this machine can have."""
    for opened in SANDBOXES.values():
        try:
            return opened()
        except PrerequisiteError:
            continue
    raise PrerequisiteError("no sandbox works on this machine")
