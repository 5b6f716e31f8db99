"""Flags from what the operating system and torch show of a candidate that has run."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kernelwright.sandbox.base import WorkerProcess
from kernelwright.sandbox.memory import thread_ids
from kernelwright.schema import Flag
from kernelwright.verifier.integrity.catalog import flag

SHOWN = 3
# Set by torch.compile itself.
OF_INDUCTOR = "$_TORCHINDUCTOR"
# Processor time over what its cores have; counters tick in 10 ms.
CORES_MARGIN = 1.25
LEAST_EXTRA_S = 0.1
HALF = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def process_flags(process: WorkerProcess) -> Iterator[Flag]:
    """Flag processes that left the group, which nothing but the sandbox's own search can stop."""
    escaped = process.escaped()
    if escaped:
        evidence = f"{len(escaped)} of its processes left its group and session"
        yield flag("left-its-group", evidence)


def core_flags(process: WorkerProcess) -> Iterator[Flag]:
    """Flag CPUs that a thread could use beyond those that the worker was given."""
    more = process.foreign_cores
    if more:
        evidence = f"a thread could run on CPU {min(more)}, which it was not given"
        yield flag("more-cores", evidence)


def cpu_flags(cpu_s: float, wall_s: float, cores: int) -> Iterator[Flag]:
    """Flag processor time that the given cores don't have."""
    extra = cpu_s - wall_s * cores
    if extra > LEAST_EXTRA_S and cpu_s > CORES_MARGIN * wall_s * cores:
        evidence = f"{cpu_s:.2f} s of processor time in {wall_s:.2f} s on {cores} cores"
        yield flag("more-cores", evidence)


def thread_flags(process: WorkerProcess, before: int, threads: int) -> Iterator[Flag]:
    """Flag threads beyond those of the teams that torch and one OpenMP runtime keep."""
    count = len(thread_ids(process.pid))
    if count > before + 2 * threads:
        yield flag("threads-left", f"{count} threads, {before} before it was loaded")


def setting_flags(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Flag]:
    """Flag settings of torch and the environment that are others than before."""
    names = {name for name in {*before, *after} if not name.startswith(OF_INDUCTOR)}
    changed = sorted(name for name in names if before.get(name) != after.get(name))
    if changed:
        words = ", ".join(f"{n}: {before.get(n)} -> {after.get(n)}" for n in changed[:SHOWN])
        yield flag("settings-changed", words[:300])


def file_flags(process: WorkerProcess) -> Iterator[Flag]:
    """Flag regular files outside its folder that the worker holds open for writing."""
    outside = [path for path in _written(process.pid) if not path.is_relative_to(process.inside)]
    if outside:
        yield flag("files-outside", ", ".join(str(path) for path in outside[:SHOWN]))


def _written(pid: int) -> Iterator[Path]:
    folder = Path(f"/proc/{pid}/fd")
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, PermissionError):
        return
    for entry in entries:
        try:
            path, found = Path(os.readlink(entry)), entry.stat()
            flags = (folder.parent / "fdinfo" / entry.name).read_text()
        except (FileNotFoundError, PermissionError):
            continue
        mode = next(line.split()[1] for line in flags.splitlines() if line.startswith("flags"))
        is_file = stat.S_ISREG(found.st_mode) and found.st_nlink > 0
        if is_file and int(mode, 8) & os.O_ACCMODE != os.O_RDONLY:
            yield path


def operator_flags(
    operators: Mapping[str, list[str]], task_types: Collection[str]
) -> Iterator[Flag]:
    """Flag operators on tensors of fewer bits than the task has anywhere."""
    if any(name in task_types for name in HALF):
        return
    found = sorted(name for name, types in operators.items() if any(t in HALF for t in types))
    if found:
        yield flag("half-operators", ", ".join(found[:SHOWN]))
