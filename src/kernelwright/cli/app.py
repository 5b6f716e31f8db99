"""The command line. Importing this file must stay cheap: every command imports what it needs."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from kernelwright import __version__
from kernelwright.cli import (
    bench,
    cache,
    compile,
    config,
    demo,
    doctor,
    export,
    optimize,
    runs,
    sandbox,
    tasks,
    verify,
)
from kernelwright.errors import KernelwrightError

app = typer.Typer(
    name="kernelwright",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(optimize.optimize)
app.command()(verify.verify)
app.command("compile")(compile.compile_)
app.command()(bench.bench)
app.command()(export.export)
app.add_typer(tasks.app, name="tasks")
app.add_typer(runs.app, name="runs")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(cache.app, name="cache")
app.add_typer(config.app, name="config")
app.command()(doctor.doctor)
app.command()(demo.demo)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kernelwright {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """A PyTorch module goes in, a verified faster one comes out."""


def _internal_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> NoReturn:
    """Print an internal error and exit with code 3, because 1 would mean that the answer is no."""
    if "--debug" in sys.argv[1:]:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: internal error: {kind.__name__}: {error}", file=sys.stderr)
        print("hint: run it again with --debug and report what it prints", file=sys.stderr)
    raise SystemExit(3)


def main() -> NoReturn:
    """Run the command line; print an error as a sentence and a hint, with its exit code."""
    sys.excepthook = _internal_error
    # Calling `app` itself would replace our hook by typer's.
    command = typer.main.get_command(app)
    try:
        command()
    except KernelwrightError as error:
        if "--debug" in sys.argv[1:]:
            raise
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone: end without a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
