"""`kernelwright doctor`: checks of this machine's tools, devices, sandboxes and keys."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import NamedTuple

import typer

from kernelwright.cli import options

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
GIB = 2**30
LEAST_MEMORY = 4 * GIB
LEAST_DISK = 2 * GIB
WATCHED_S = 1.0


class Check(NamedTuple):
    """The result of one check."""

    name: str
    ok: bool
    needed: bool
    """Whether the main job fails without it."""
    text: str


def doctor(json: options.Json = False) -> None:
    """Check what the main job needs and what else would be used if it were there.

    Exit code 3: something the main job needs is missing.
    """
    from json import dumps

    checks = list(_checks())
    if json:
        typer.echo(dumps([check._asdict() for check in checks], indent=2))
    else:
        for check in checks:
            mark = "ok  " if check.ok else ("FAIL" if check.needed else "no  ")
            typer.echo(f"{mark}  {check.name:<18} {check.text}")
    raise typer.Exit(0 if all(c.ok or not c.needed for c in checks) else 3)


def _checks() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info >= (3, 11), True, version)
    device = "cuda" if _has_gpu() else "cpu"
    yield from _torch(device)
    yield from _backends(device)
    yield _counters()
    yield _quiet()
    yield from _sandboxes()
    yield _worker()
    yield from _space()
    for name in KEYS:
        there = bool(os.environ.get(name))
        yield Check(name, there, False, "set" if there else "not set; offline needs none")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _torch(device: str) -> Iterator[Check]:
    import torch

    from kernelwright.sandbox.gpu import gpu_identity

    yield Check("torch", True, True, torch.__version__)
    if device == "cpu":
        yield Check("gpu", False, False, "none; the CPU is the target")
        return
    driver = gpu_identity("cuda:0")["gpu_driver"] or "unknown; nvidia-smi does not say"
    use = "used with --target cuda alone: timing there is not validated yet"
    yield Check("gpu", True, False, f"{torch.cuda.get_device_name(0)}, driver {driver}; {use}")


def _backends(device: str) -> Iterator[Check]:
    from kernelwright.backends.registry import BACKENDS

    for name in BACKENDS:
        backend = BACKENDS.open(name)
        availability = backend.availability()
        text = backend.toolchain() if availability.ok else availability.reason
        if availability.ok:
            text += _limits(backend.devices, backend.timed_on, device)
        hint = f" ({availability.hint})" if availability.hint else ""
        yield Check(f"backend {name}", availability.ok, name == "cpp", text + hint)


def _limits(devices: tuple[str, ...], timed_on: tuple[str, ...], device: str) -> str:
    """Return a note on what can't be learnt about a backend's candidates on a device."""
    if device in timed_on or device == "cuda":
        return ""
    if device in devices:
        return "; values and compile-time facts only: its times need a GPU"
    return "; compile-time facts only: its kernels need a GPU"


def _counters() -> Check:
    from kernelwright.verifier.profiling.perf_events import Counting

    with Counting(os.getpid()) as counting:
        there = counting.is_possible
    text = "evidence has them" if there else "none here, or forbidden: evidence does without"
    return Check("hardware counters", there, False, text)


def _quiet() -> Check:
    """Watch for a moment whether others use the processor."""
    from kernelwright.verifier.timing.contention import BUSY_CORES, LoadMeter, busiest_process

    cores = sorted(os.sched_getaffinity(0))
    meter = LoadMeter((), cores)
    busiest = busiest_process(WATCHED_S)
    used = meter.external_cores()
    if used is None:
        return Check("quiet", False, False, "unknown: this system does not tell")
    text = f"others use {used:.2f} of {len(cores)} cores"
    if used < BUSY_CORES:
        return Check("quiet", True, False, text)
    by = f", mostly {busiest}" if busiest else ""
    return Check("quiet", False, False, f"busy: {text}{by}; times may stay undecided")


def _sandboxes() -> Iterator[Check]:
    from kernelwright.errors import PrerequisiteError
    from kernelwright.sandbox.registry import SANDBOXES

    for name in SANDBOXES:
        try:
            SANDBOXES.open(name).close()
        except PrerequisiteError as error:
            yield Check(f"sandbox {name}", False, False, f"{error.message} ({error.hint})")
        else:
            yield Check(f"sandbox {name}", True, False, "`kernelwright sandbox check` tries it")


def _worker() -> Check:
    """Check that a real worker starts."""
    from kernelwright.config import load_settings
    from kernelwright.errors import InfrastructureError
    from kernelwright.sandbox.machine import open_machine
    from kernelwright.schema import Limits
    from kernelwright.verifier.worker.start import await_start, start_worker

    settings = load_settings({"target": "cpu"}).settings
    with open_machine(settings.machine) as machine:
        kind = machine.sandbox.info.kind
        try:
            client = start_worker(machine, Limits())
            hello = await_start(client)
        except InfrastructureError as error:
            return Check("worker", False, True, error.message)
        client.process.kill()
    return Check("worker", True, True, f"sandbox {kind}, {hello['threads']} threads")


def _space() -> Iterator[Check]:
    from kernelwright.config import load_settings

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Check("memory", memory >= LEAST_MEMORY, True, f"{memory / GIB:.1f} GiB")
    folder = load_settings({}).settings.cache_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield Check("disk", free >= LEAST_DISK, True, f"{free / GIB:.1f} GiB free for the build cache")
