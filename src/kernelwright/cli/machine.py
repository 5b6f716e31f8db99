"""The machine of a command, with a line about a GPU that is left unused; how SIGTERM ends it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kernelwright.config import Settings
from kernelwright.sandbox.machine import Machine, gpu_count, open_machine

UNUSED_GPU = (
    "target: the CPU. There is a GPU, but timing on GPUs is not validated yet; --target cuda uses "
    "it, and marks each verdict so"
)


def tell_of_unused_gpu(settings: Settings) -> None:
    """Print a line on stderr where `--target auto` leaves a GPU unused."""
    if settings.target == "auto" and gpu_count():
        typer.echo(UNUSED_GPU, err=True)


@contextmanager
def command_machine(settings: Settings) -> Iterator[Machine]:
    """Open the machine of the settings, after `tell_of_unused_gpu`."""
    tell_of_unused_gpu(settings)
    with open_machine(settings.machine) as machine:
        yield machine


@contextmanager
def terminable() -> Iterator[None]:
    """Take SIGTERM like Ctrl-C, so that workers are gone and the run can be continued."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
