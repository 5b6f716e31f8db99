"""The sandboxes there are, by name."""

from __future__ import annotations

from kernelwright.errors import PrerequisiteError
from kernelwright.registry import Kind, Registry
from kernelwright.sandbox.base import Sandbox

# The strongest first.
SANDBOXES: Registry[Sandbox] = Registry(
    "sandbox",
    Kind("a sandbox", "start"),
    {
        "docker": "kernelwright.sandbox.docker.sandbox:DockerSandbox",
        "bwrap": "kernelwright.sandbox.bwrap:BwrapSandbox",
        "process": "kernelwright.sandbox.process:ProcessSandbox",
    },
    "kernelwright.sandboxes",
)
AUTO = "auto"


def open_sandbox(name: str) -> Sandbox:
    """Open the named sandbox; `auto` is the strongest there is.

    Raises:
        UsageError: there is none of that name.
        PrerequisiteError: it can't be had on this machine.
    """
    return open_strongest() if name == AUTO else SANDBOXES.open(name)


def check_sandbox(name: str) -> None:
    """Check that there is a sandbox of this name, without opening it.

    Raises:
        UsageError: there is none.
    """
    if name != AUTO:
        SANDBOXES.find(name)


def open_strongest() -> Sandbox:
    """Open the strongest sandbox that this machine can have; those of other packages come last."""
    for name in SANDBOXES:
        try:
            return SANDBOXES.open(name)
        except PrerequisiteError:
            continue
    raise PrerequisiteError("no sandbox works on this machine")
