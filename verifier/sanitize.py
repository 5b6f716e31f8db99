"""C++ candidates rebuilt with AddressSanitizer and UBSan, and what these found, in words.

The candidate compiles itself, so its compiler is told behind its back: g++ looks for the program
that does the work, `cc1plus`, in COMPILER_PATH first, whatever the candidate calls it by and with.
There it finds a script that adds the sanitizers' flags. The worker is started with the sanitizers'
libraries preloaded, which also puts redzones around every tensor that is allocated in it.

This finds mistakes. It is no wall: code that wants to can tell that it is being watched.
"""

from __future__ import annotations

import ast
import functools
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.cpp import compiler
from kernelwright.schema import Candidate, Flag
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.reference import CONSTRUCTOR_SEED, Prepared, Reference, call_seed
from kernelwright.verifier.remote import RemoteModule, Values
from kernelwright.verifier.workers import (
    BASE_MEMORY_BYTES,
    BUILD_FOLDER,
    START_TIMEOUT_S,
    TOOLS_FOLDER,
    start_worker,
)

ADDRESS, UNDEFINED = "address-sanitizer", "undefined-behaviour"
UNAVAILABLE, INCOMPLETE = "sanitizer-unavailable", "sanitizer-incomplete"
SEED_OFFSET = 910_000
CALLS = 2
# A file that includes torch/extension.h takes 30 s instead of 17, and has no precompiled header.
BUILD_SLOWDOWN = 3.0
# What the sanitizer maps for its shadow counts as private memory, used or not.
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
# The worker loads this in place of the candidate.
RUNNER = '''
"""Hands the candidate copies of its inputs, which lie between redzones wherever these came from."""

import ctypes
import importlib.util
import os
import sys

import torch

os.environ.pop("LD_PRELOAD", None)  # for this process, not for the compilers that it starts
name = __name__ + "_candidate"
spec = importlib.util.spec_from_file_location(name, {path!r})
sys.modules[name] = candidate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(candidate)


def storage_of(value):
    """None for what has no memory of its own: other layouts, subclasses, extra state."""
    plain = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided
    return value.untyped_storage() if plain else None


def announce(what, tensor):
    storage = storage_of(tensor)
    if storage is not None:
        print(f"@tensor {{what}} {{storage.data_ptr():#x}}", file=sys.stderr, flush=True)


def mapped(value, function):
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        items = [mapped(item, function) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {{key: mapped(item, function) for key, item in value.items()}}
    return value


def with_copies(model, inputs):
    copies = []

    def copied(tensor):
        copies.append(tensor.clone())
        announce(f"input {{len(copies) - 1}}", copies[-1])
        return copies[-1]

    for name, tensor in model.state_dict().items():
        announce(name, tensor)
    return mapped(inputs, copied)


def read(tensor):
    """All of it, by a call that the sanitizer watches: what was freed or too short shows."""
    storage = storage_of(tensor)
    if storage is not None:
        ctypes.string_at(storage.data_ptr(), storage.nbytes())


def look(model, inputs, outputs):
    mapped(outputs, read)


def build(*arguments):
    model = getattr(candidate, {entry_point!r})(*arguments)
    model.register_forward_pre_hook(with_copies)
    model.register_forward_hook(look)
    return model
'''


def sanitizer_flags(candidate: Candidate, reference: Reference) -> list[Flag]:
    """What the sanitizers find in a `cpp` candidate on every workload, on inputs of their own.

    Returns:
        At most one flag: a refusal for an error in the candidate's own code, else a word about
        what could not be looked at. A worker ends at its first error.

    Raises:
        InfrastructureError: no worker can be started, or the reference fails.
    """
    libraries = sanitizer_libraries(compiler())
    if libraries is None:
        return [_unavailable(f"{compiler()} comes without {' and '.join(LIBRARIES)} here")]
    module = _start(reference, libraries)
    try:
        return _watched(module, candidate, reference)
    finally:
        module.process.kill()


@functools.cache
def sanitizer_libraries(program: str) -> tuple[str, ...] | None:
    """What a process must have preloaded to run what `program` instruments; None if it can't."""
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


def _start(reference: Reference, libraries: tuple[str, ...]) -> RemoteModule:
    limits = reference.task.limits
    megabytes = (limits.memory_bytes + 2 * BASE_MEMORY_BYTES) // 2**20
    options = f"{OPTIONS}:hard_rss_limit_mb={megabytes}"
    env = {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": options,
        "UBSAN_OPTIONS": options,
        "COMPILER_PATH": f"{{folder}}/{BUILD_FOLDER}/{TOOLS_FOLDER}",
        "CXX": compiler(),  # torch's own default is c++, which may be another
    }
    with tempfile.TemporaryDirectory() as scratch:
        tools = Path(scratch) / TOOLS_FOLDER
        tools.mkdir()
        for name in COMPILERS:
            (tools / name).write_text(COMPILER)
            (tools / name).chmod(0o755)
        unlimited = limits.model_copy(update={"memory_bytes": SHADOW_BYTES})
        return start_worker(reference.machine, unlimited, env, build=Path(scratch))


def _watched(module: RemoteModule, candidate: Candidate, reference: Reference) -> list[Flag]:
    try:
        module.hello(START_TIMEOUT_S)
    except WorkerFault as fault:
        return [_unavailable(f"a worker does not start under it: {fault.reason}")]
    for workload in reference.workloads():
        prepared = reference.prepare(workload)
        try:
            _load(module, candidate, prepared, reference)
        except WorkerFault as fault:
            what = f"it does not build or load under it: {fault.reason}"
            return [_found(module, candidate, prepared) or _unavailable(what)]
        try:
            _run(module, prepared, reference)
        except WorkerFault as fault:
            what = f"workload {workload.name!r} ended without a report: {fault.reason}"
            return [_found(module, candidate, prepared) or _info(INCOMPLETE, what)]
    if not _was_rebuilt(module):
        return [_unavailable(f"none of its code was compiled by {compiler()}")]
    return []


def _load(
    module: RemoteModule, candidate: Candidate, prepared: Prepared, reference: Reference
) -> None:
    key = prepared.workload.name
    own = module.write("candidate.py", candidate.source)
    text = RUNNER.format(path=own, entry_point=candidate.entry_point)
    path = module.write("runner.py", text.lstrip())
    timeout_s = BUILD_SLOWDOWN * reference.task.limits.build_timeout_s
    module.load(key, path, "build", CONSTRUCTOR_SEED, prepared.init, timeout_s)
    module.set_state(key, prepared.state)


def _run(module: RemoteModule, prepared: Prepared, reference: Reference) -> None:
    for index in range(CALLS):
        inputs = reference.fresh_inputs(prepared, SEED_OFFSET + index)
        _call(module, prepared.workload.name, inputs, call_seed(reference.seed + index))


def _call(module: RemoteModule, key: str, inputs: Values, seed: int) -> None:
    module.put(key, 0, inputs)
    module.call(key, 0, seed)


def _was_rebuilt(module: RemoteModule) -> bool:
    tools = Path(module.process.folder) / BUILD_FOLDER / TOOLS_FOLDER
    return any((tools / f"{name}.ran").exists() for name in COMPILERS)


def _unavailable(why: str) -> Flag:
    return _info(UNAVAILABLE, why)


def _info(rule: str, evidence: str) -> Flag:
    return Flag(rule=rule, severity="info", evidence=evidence)


# -- reports --------------------------------------------------------------------------------------

ADDRESS_ERROR = re.compile(r"ERROR: AddressSanitizer: (?P<kind>[\w-]+)")
UNDEFINED_ERROR = re.compile(r"^\S+:\d+:\d+: runtime error: (?P<what>.+)$", re.MULTILINE)
# What follows is about threads and the shadow, and names frames that have nothing to do with it.
END = re.compile(r"^(Thread T\d+.* created by|SUMMARY: )", re.MULTILINE)
ACCESS = re.compile(r"^(?:The signal is caused by a )?(READ|WRITE)(?: of size (\d+))?", re.M)
REGION = re.compile(
    r"is located (\d+) bytes (to the right of|after|to the left of|before|inside of)"
    r" (?:(\d+)-byte region \[(0x[0-9a-f]+),|global variable '(.+?)' .* of size (\d+))"
)
LOCAL = re.compile(r"'(\S+)' \(line (\d+)\) <== Memory access at offset \d+ (\w+)")
TENSOR = re.compile(r"^@tensor (.+) (0x[0-9a-f]+)$", re.MULTILINE)
WHERE = {
    "to the right of": "past the end of",
    "after": "past the end of",
    "to the left of": "before the start of",
    "before": "before the start of",
    "inside of": "into",
}
MAX_CODE, MAX_WORDS, MAX_FUNCTION = 160, 300, 80
# A report is written by the worker, and patterns are slow on text that is made to be.
MAX_LINES, MAX_LINE = 400, 600
MAX_SOURCE = 2**20


class Frame(NamedTuple):
    """One entry of a report's stack."""

    module: str
    """The library."""
    function: str
    file: str
    line: int


class Report(NamedTuple):
    """The first thing that a sanitizer complained about."""

    rule: str
    kind: str
    text: str
    """From the complaint on."""
    before: str
    """What had been printed until then."""


def find_report(printed: str) -> Report | None:
    """The report in what a worker printed; None where there is none."""
    matches = [
        (match.start(), rule, match.group(1))
        for rule, pattern in ((ADDRESS, ADDRESS_ERROR), (UNDEFINED, UNDEFINED_ERROR))
        if (match := pattern.search(printed))
    ]
    if not matches:
        return None
    start, rule, kind = min(matches)
    lines = printed[start:].split("\n")[:MAX_LINES]
    text = "\n".join(line[:MAX_LINE] for line in lines)
    end = END.search(text)
    return Report(rule, kind[:MAX_WORDS], text[: end.start() if end else None], printed[:start])


def _found(module: RemoteModule, candidate: Candidate, prepared: Prepared) -> Flag | None:
    report = find_report(module.process.stderr())
    if report is None:
        return None
    folder = Path(module.process.folder)
    own = [frame for frame in _frames(report.text) if _is_own(frame, folder)]
    words, where = _words(report, prepared), f"workload {prepared.workload.name!r}"
    if not own:
        return _info(INCOMPLETE, f"{words}, {where}, outside the candidate's C++")
    # Not the line of the C++ library where the candidate's own error came to light.
    at = next((frame for frame in own if frame.file.startswith(f"{folder}/")), own[0])
    code = _code(candidate, folder, own, at)
    place = f"in {at.function[:MAX_FUNCTION]} at {Path(at.file).name}:{at.line}{code}"
    return Flag(rule=report.rule, severity="refuse", evidence=f"{words}, {place}, {where}")


def _frames(text: str) -> list[Frame]:
    return [frame for line in text.split("\n") if (frame := _frame(line))]


def _frame(line: str) -> Frame | None:
    parts = line.split("|")  # as OPTIONS has it
    if len(parts) != 6 or parts[0] != "@" or not parts[4].isdecimal():
        return None
    return Frame(parts[1], parts[2], parts[3], int(parts[4]))


def _is_own(frame: Frame, folder: Path) -> bool:
    # A worker's current folder is its private one, and a candidate may load a relative path.
    inside = frame.module.startswith(f"{folder}/") or not frame.module.startswith("/")
    return inside and frame.line > 0


def _words(report: Report, prepared: Prepared) -> str:
    if report.rule == UNDEFINED:
        return report.kind
    access = ACCESS.search(report.text)
    verb = "" if access is None else {"READ": ": reads", "WRITE": ": writes"}[access.group(1)]
    size = f" {access.group(2)} bytes" if access and access.group(2) else ""
    return f"{report.kind}{verb}{size}{_neighbour(report, prepared)}"


def _neighbour(report: Report, prepared: Prepared) -> str:
    """The allocation or variable that the access has to do with."""
    if "address points to the zero page" in report.text:
        return " through a null pointer"
    if local := LOCAL.search(report.text):
        return f", {local.group(3)} the local variable {local.group(1)!r} of line {local.group(2)}"
    region = REGION.search(report.text)
    if region is None:
        return ""
    distance, side, size, start, variable, variable_size = region.groups()
    if variable:
        what, size = f"the global variable {variable!r}", variable_size
    else:
        what = _allocation(report, int(start, 16), int(size), prepared)
    return f", {distance} bytes {WHERE[side]} {what} of {size} bytes"


def _allocation(report: Report, start: int, size: int, prepared: Prepared) -> str:
    if "freed by thread" in report.text:
        return "freed memory"
    # The last word counts: addresses are used again.
    names = {int(address, 16): name for name, address in TENSOR.findall(report.before)}
    if start in names:
        return repr(names[start])
    sizes = [math.prod(spec.shape) * spec.dtype.itemsize for spec in prepared.specs]
    likely = f", perhaps output {sizes.index(size)}," if size in sizes else ""
    return f"an allocation{likely}"


def _code(candidate: Candidate, folder: Path, own: list[Frame], at: Frame) -> str:
    """The line itself, where it can be had."""
    if at.file.endswith("<stdin>"):
        names = {_identifier(frame.function) for frame in own if frame.file == at.file}
        texts = list(_sources(candidate.source, names))
    else:
        texts = [text] if (text := _read(Path(at.file), folder)) else []
    numbered = [text.split("\n") for text in texts]
    lines = {text[at.line - 1].strip() for text in numbered if at.line <= len(text)}
    return f": `{lines.pop()[:MAX_CODE]}`" if len(lines) == 1 else ""


def _identifier(function: str) -> str:
    """`ns::f(int)` and `f._omp_fn.0` are both f."""
    return re.split(r"[(<.]", function)[0].rpartition("::")[2]


def _sources(source: str, functions: set[str]) -> Iterator[str]:
    """String constants of a candidate that define these functions."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if all(name in node.value for name in functions):
                yield node.value


def _read(path: Path, folder: Path) -> str | None:
    # The path is the worker's word: nothing outside its folder is read, and no pipe.
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(folder.resolve()) or not real.is_file():
        return None
    with real.open(errors="replace") as file:
        return file.read(MAX_SOURCE)
