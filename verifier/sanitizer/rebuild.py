"""A worker in which a candidate's own compiler adds the sanitizers, without being asked to.

The candidate compiles itself, so its compiler is told behind its back: g++ looks for the program
that does the work, `cc1plus`, in COMPILER_PATH first, whatever the candidate calls it by and with.
There it finds a script that adds the sanitizers' flags. The worker is started with the sanitizers'
libraries preloaded, which also puts redzones around every tensor that is allocated in it.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.cpp import compiler
from kernelwright.sandbox.base import Sandbox, WorkerProcess, WorkerSpec
from kernelwright.schema import SandboxInfo
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.start import (
    BASE_MEMORY_BYTES,
    BUILD_FOLDER,
    TOOLS_FOLDER,
    start_worker,
)

# The sanitizer's mapping for its shadow counts as private memory, used or not.
SHADOW_BYTES = 2**47
LIBRARIES = ("libasan.so", "libubsan.so")
# After the candidate's own flags, so that these hold. Lines are all that reports need of -g. The
# check of vptr wants the type information of torch's own classes; that of object-size finds what
# the other sanitizer tells more about. Functions that must be inlined, but are called through a
# parameter, need -findirect-inlining, which is part of -O2.
FLAGS = (
    "-fsanitize=address,undefined -fno-sanitize=vptr,object-size -fno-sanitize-recover=all"
    " -O1 -findirect-inlining -g1 -fno-omit-frame-pointer -fno-lto -U_FORTIFY_SOURCE -w"
)
COMPILER = f"""#!/bin/sh
: > "$0.ran"
real=$(env -u COMPILER_PATH "$COLLECT_GCC" -print-prog-name="${{0##*/}}")
exec "$real" "$@" {FLAGS}
"""
COMPILERS = ("cc1plus", "cc1")
# What Python, torch and a file of several kernels do all the time is switched off: memory that is
# never freed, one symbol in several libraries, new and free across libraries. A signal is the
# sanitizer's before it is Python's faulthandler's (handle_*=2).
OPTIONS = (
    "detect_leaks=0:detect_odr_violation=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1"
    ":detect_stack_use_after_return=1:handle_segv=2:handle_sigbus=2:handle_sigfpe=2"
    ':print_stacktrace=1:color=never:stack_trace_format="@|%m|%f|%s|%l|"'
)


class Roomy(NamedTuple):
    """A sandbox that lets workers map a shadow; the sanitizer itself limits what they use."""

    sandbox: Sandbox

    @property
    def info(self) -> SandboxInfo:
        """See `Sandbox.info`."""
        return self.sandbox.info

    def start(self, spec: WorkerSpec) -> WorkerProcess:
        """See `Sandbox.start`."""
        return self.sandbox.start(spec.model_copy(update={"memory_bytes": SHADOW_BYTES}))

    def close(self) -> None:
        """See `Sandbox.close`."""
        self.sandbox.close()


@functools.cache
def sanitizer_libraries(program: str) -> tuple[str, ...] | None:
    """Return what must be preloaded to run what `program` instruments; None if it can't."""
    found = [_library(program, name) for name in LIBRARIES]
    return tuple(path for path in found if path) if all(found) else None


def _library(program: str, name: str) -> str | None:
    command = [program, f"-print-file-name={name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    path = Path(done.stdout.strip())
    if not path.is_absolute() or not path.exists():
        return None
    content = path.read_bytes()
    if content.startswith(b"\x7fELF"):
        return str(path)
    script = re.search(r"/\S+", content.decode(errors="replace"))  # INPUT ( /usr/lib64/... )
    return script.group() if script else None


def start_instrumented(reference: Reference, libraries: tuple[str, ...]) -> WorkerClient:
    """Start a worker that instruments what is compiled in it, and runs it.

    Raises:
        InfrastructureError: it can't be started.
    """
    limits = reference.task.limits
    options = f"{OPTIONS}:hard_rss_limit_mb={most_bytes(limits.memory_bytes) // 2**20}"
    env = {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": options,
        "UBSAN_OPTIONS": options,
        "COMPILER_PATH": f"{{folder}}/{BUILD_FOLDER}/{TOOLS_FOLDER}",
        "CXX": compiler(),  # torch's own default is c++, which may be another
    }
    machine = reference.machine._replace(sandbox=Roomy(reference.machine.sandbox))
    with tempfile.TemporaryDirectory() as scratch:
        tools = Path(scratch) / TOOLS_FOLDER
        tools.mkdir()
        for name in COMPILERS:
            (tools / name).write_text(COMPILER)
            (tools / name).chmod(0o755)
        return start_worker(machine, limits, env, build=Path(scratch))


def most_bytes(memory_bytes: int) -> int:
    """Return what a worker may use: redzones and shadow are about as large as what it runs."""
    return memory_bytes + 2 * BASE_MEMORY_BYTES


def was_rebuilt(client: WorkerClient) -> bool:
    """Whether the compiler ran in an instrumented worker."""
    tools = Path(client.process.folder) / BUILD_FOLDER / TOOLS_FOLDER
    return any((tools / f"{name}.ran").exists() for name in COMPILERS)
