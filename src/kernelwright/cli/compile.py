"""`kernelwright compile`: compile-time facts of a candidate's GPU kernels, without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import with_settings
from kernelwright.tasks.kinds.module import MODULE

if TYPE_CHECKING:
    from kernelwright.config import Settings
    from kernelwright.verifier.gpu_compile.kernel import Compilation


@with_settings("sandbox", target="cpu")
def compile_(
    task: Annotated[str, typer.Argument(help="A KernelBench-format file, or a library id.")],
    candidate: Annotated[Path, typer.Argument(help=f"A file with class {MODULE.candidate}.")],
    settings: Settings,
    arch: Annotated[
        list[str] | None, typer.Option(help="sm_80, sm_86, sm_89, sm_90, sm_100; repeatable.")
    ] = None,
    set_: options.Sets = None,
    json: options.Json = False,
) -> None:
    """Compile a candidate's Triton or CUDA kernels for GPUs that need not be here.

    Shows registers, spills, shared memory, theoretical occupancy and kinds of instructions, for the
    sizes that the task has for GPUs. Nothing is run, so nothing is timed. CUDA sources need nvcc.
    Exit code 1: it does not compile for one of them; the compiler's words are printed.
    """
    from kernelwright.cli.machine import command_machine, terminable
    from kernelwright.cli.verify import read_candidate
    from kernelwright.errors import UsageError
    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.loader import load_task, parsed
    from kernelwright.verifier.gpu_compile.compilation import (
        CAPABILITIES,
        COMPILERS,
        compile_candidate,
    )

    capabilities = [known_capability(name) for name in arch or []] or CAPABILITIES
    loaded = load_task(task, parse_settings(set_))
    given = read_candidate(candidate)
    parsed(given.source, candidate)
    if given.backend not in COMPILERS:
        raise UsageError(
            f"{str(candidate)!r} has no GPU kernels", hint="`kernelwright verify` builds others"
        )
    with terminable(), command_machine(settings) as machine:
        found = compile_candidate(loaded, given, machine, capabilities)
    _print(found, json)
    raise typer.Exit(1 if found.failures else 0)


def known_capability(name: str) -> int:
    """Return 90 for `sm_90`. Raises UsageError for an unknown architecture."""
    from kernelwright.errors import UsageError
    from kernelwright.verifier.gpu_compile.occupancy import MULTIPROCESSORS

    known = {f"sm_{capability}": capability for capability in MULTIPROCESSORS}
    if name not in known:
        raise UsageError(f"unknown architecture {name!r}", hint=f"one of {', '.join(known)}")
    return known[name]


def _print(found: Compilation, json: bool) -> None:
    from json import dumps

    from kernelwright.verifier.gpu_compile.kernel import words

    if json:
        kernels = [
            {**k.model_dump(mode="json"), "occupancy": k.occupancy and k.occupancy._asdict()}
            for k in found.kernels
        ]
        failures = {f"sm_{capability}": text for capability, text in found.failures.items()}
        typer.echo(dumps({"kernels": kernels, "failures": failures}, indent=2))
        return
    for kernel in found.kernels:
        typer.echo(words(kernel))
    for capability, reason in found.failures.items():
        typer.echo(f"sm_{capability}: does not compile: {reason}")
    if not found.kernels and not found.failures:
        typer.echo("it compiles no GPU kernel")
