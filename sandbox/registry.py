"""Which sandboxes there are, by name."""

from __future__ import annotations

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.sandbox.base import Sandbox
from kernelwright.sandbox.process import ProcessSandbox

SANDBOXES = {"process": ProcessSandbox}


def open_sandbox(name: str) -> Sandbox:
    """The named sandbox; `auto` is the strongest there is. Raises UsageError for others."""
    if name == "auto":
        return ProcessSandbox()
    if name not in SANDBOXES:
        raise UsageError(f"unknown sandbox {name!r}", hint=did_you_mean(name, ["auto", *SANDBOXES]))
    return SANDBOXES[name]()
