"""The `cpp` backend: C++/OpenMP through a plain C ABI, or through torch's inline extensions.

A file that includes torch/extension.h takes 17 s to compile; with a precompiled header, found
through CPATH before torch's own folder, under 10 s. gcc accepts such a header only when it was made
with the same code-generation flags, so there is one for each set of flags in use.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from kernelwright import syntax
from kernelwright.backends.base import Availability, Language
from kernelwright.errors import InfrastructureError
from kernelwright.schema import Candidate

HEADER = "torch/extension.h"
# Flags that torch.utils.cpp_extension passes for a C++ source besides the user's.
TORCH_FLAGS = ("-fPIC", "-std=c++20")
TORCH_DEFINES = ("-DTORCH_API_INCLUDE_EXTENSION_H",)
PCH_TIMEOUT_S = 300
# The header is compiled on the judge's side, so a candidate's flags get there only if they can do
# no more than choose code: -fplugin or -wrapper would run programs.
HARMLESS_FLAG = re.compile(
    r"-O[0123s]|-Ofast|-g|-march=native|-mavx2|-mfma|-fopenmp|-ffast-math|-funroll-loops"
    r"|-std=c\+\+(17|20)|-Wall|-D\w+(=\w+)?"
)
FORWARDING_HEADER = f"#pragma once\n#include_next <{HEADER}>\n"
# A precompiled header takes 750 MB.
MAX_HEADER_BYTES = 10**9
# A header that was used so lately is not thrown away for another: files with two sets of flags in
# turns would have one compiled for each build, which takes longer than a build without.
IN_USE_S = 600.0


class Cpp(Language):
    """C++, compiled by g++ (or $CXX)."""

    name = "cpp"
    devices = ("cpu",)

    def availability(self) -> Availability:
        """See `Backend.availability`."""
        if shutil.which(compiler()) is None:
            return Availability(
                False, f"no C++ compiler: {compiler()!r} is not on PATH", "apt-get install g++"
            )
        return Availability(True)

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"{compiler_version()} torch {version('torch')}"

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Return variables for a precompiled torch/extension.h, if the candidate includes it."""
        if not uses_torch_extension(candidate.source) or "g++" not in compiler():
            return {}
        flags = extra_flags(candidate.source)
        if not all(HARMLESS_FLAG.fullmatch(flag) for flag in flags):
            return {}
        header = precompiled_header(cache, flags)
        if header is None:
            return {}
        return {"CPATH": str(header), "CXX": compiler()}  # torch's own default is c++


def compiler() -> str:
    """Return the C++ compiler that torch and candidates use: $CXX, or g++."""
    return os.environ.get("CXX", "g++")


@functools.cache
def compiler_version() -> str:
    """Return the first line of the compiler's version text; empty without a compiler."""
    if shutil.which(compiler()) is None:
        return ""
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, timeout=30)
    return done.stdout.split("\n")[0]


def uses_torch_extension(source: str) -> bool:
    """Whether building this candidate compiles torch/extension.h."""
    return HEADER in source or "load_inline" in source


def extra_flags(source: str) -> tuple[str, ...]:
    """Return the `extra_cflags` list literal of the candidate's load_inline call, if any."""
    for call in _calls(source):
        for keyword in call.keywords:
            if keyword.arg == "extra_cflags":
                try:
                    flags = ast.literal_eval(keyword.value)
                except ValueError:
                    return ()
                return tuple(str(flag) for flag in flags or ())
    return ()


def _calls(source: str) -> Iterator[ast.Call]:
    try:
        tree = syntax.parse(source)
    except syntax.UNREADABLE:
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def precompiled_header(cache: Path, flags: tuple[str, ...]) -> Path | None:
    """Return a CPATH folder with torch/extension.h precompiled for `flags`.

    It is made once for each toolchain and set of flags. All together take MAX_HEADER_BYTES at most;
    None where those in use leave no room for another.

    Raises:
        InfrastructureError: torch's own header does not compile here.
    """
    identity = hashlib.sha256(repr((Cpp().toolchain(), flags)).encode()).hexdigest()[:16]
    folder = cache / "pch" / identity
    target = folder / f"{HEADER}.gch"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            if not _has_room(folder.parent):
                return None
            _precompile(target, flags)
            _let_workers_read(folder)
    _remove_unused(folder.parent)
    return folder


def _let_workers_read(folder: Path) -> None:
    # Workers run as other users, and this process's umask may deny them access.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _headers(root: Path) -> list[tuple[float, int, Path]]:
    """Return the last use (seconds since the epoch), the bytes and the folder of each header."""
    found = []
    for header in root.glob(f"*/{HEADER}.gch"):
        folder = header.parents[1]
        with suppress(FileNotFoundError):  # another process has just removed it
            # The lock is opened for writing whenever its header is used.
            found.append(((folder / "lock").stat().st_mtime, header.stat().st_size, folder))
    return sorted(found)


def _has_room(root: Path) -> bool:
    """Return whether another header has room beside those in use, if it is as large as they are."""
    in_use = [size for used, size, _ in _headers(root) if _is_in_use(used)]
    return sum(in_use) + max(in_use, default=0) <= MAX_HEADER_BYTES


def _remove_unused(root: Path) -> None:
    """Remove the headers that were not used for longest, until the others are within the limit."""
    total = 0
    for used, size, folder in reversed(_headers(root)):
        total += size
        if total > MAX_HEADER_BYTES and not _is_in_use(used):
            shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(used: float) -> bool:
    return used > time.time() - IN_USE_S


def _precompile(target: Path, flags: tuple[str, ...]) -> None:
    include = _torch_include()
    # gcc uses a precompiled header once, as the first include of a file. A later include, or one
    # with other flags, finds this text, which leads to torch's own header.
    header = target.with_suffix("")
    header.write_text(FORWARDING_HEADER)
    folders = [include, include / "torch/csrc/api/include"]
    system = [part for path in folders for part in ("-isystem", str(path))]
    python = ["-isystem", sysconfig.get_paths()["include"]]
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        output = Path(scratch) / "extension.gch"
        command = [compiler(), *TORCH_DEFINES, *system, *python, *TORCH_FLAGS, *flags]
        try:
            done = subprocess.run(
                [*command, "-x", "c++-header", str(header), "-o", str(output)],
                capture_output=True,
                text=True,
                timeout=PCH_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                f"precompiling {HEADER} took longer than {PCH_TIMEOUT_S} s"
            ) from error
        if done.returncode != 0:
            raise InfrastructureError(f"cannot precompile {HEADER}: {done.stderr[:300]}")
        output.replace(target)


def _torch_include() -> Path:
    # find_spec does not import torch, which would cost seconds.
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "include"
