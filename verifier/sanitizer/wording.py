"""A sanitizer's report as evidence: what happened, at which line of the candidate, near what."""

from __future__ import annotations

import ast
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kernelwright import syntax
from kernelwright.verifier.sanitizer.report import LOCAL, UNDEFINED, Frame, Report
from kernelwright.verifier.worker.frames import Spec

MAX_CODE, MAX_FUNCTION = 160, 80
MAX_SOURCE = 2**20
STDIN = "<stdin>"


def words(report: Report, outputs: Sequence[Spec]) -> str:
    """Return what happened, in words."""
    if report.rule == UNDEFINED:
        return report.kind
    return f"{report.kind}{report.access}{_neighbour(report, outputs)}"


def _neighbour(report: Report, outputs: Sequence[Spec]) -> str:
    """Return the allocation or variable that the access has to do with, in words."""
    if "address points to the zero page" in report.text:
        return " through a null pointer"
    if local := LOCAL.search(report.text):
        return f", {local.group(3)} the local variable {local.group(1)!r} of line {local.group(2)}"
    region = report.region
    if region is None:
        return ""
    what = f"the global variable {region.variable!r}"
    if region.variable is None:
        what = _allocation(report, region.start, int(region.size), outputs)
    return f", {region.distance} bytes {region.side} {what} of {region.size} bytes"


def _allocation(report: Report, start: int, size: int, outputs: Sequence[Spec]) -> str:
    if "freed by thread" in report.text:
        return "freed memory"
    if start in report.tensors:
        return repr(report.tensors[start])
    sizes = [math.prod(spec.shape) * spec.dtype.itemsize for spec in outputs]
    likely = f", perhaps output {sizes.index(size)}," if size in sizes else ""
    return f"an allocation{likely}"


def place(report: Report, source: str, folder: Path) -> str | None:
    """Return the line of the candidate's own C++, in words; None where none has to do with it.

    Args:
        source: the candidate.
        folder: the worker's.
    """
    own = [frame for frame in report.frames if _is_own(frame, folder)]
    if not own:
        return None
    # Not the line of the C++ library where the candidate's own error came to light.
    at = next((frame for frame in own if frame.file.startswith(f"{folder}/")), own[0])
    code = _code(source, folder, own, at)
    return f"in {at.function[:MAX_FUNCTION]} at {Path(at.file).name}:{at.line}{code}"


def _is_own(frame: Frame, folder: Path) -> bool:
    # A worker's current folder is its private one, and a candidate may load a relative path.
    inside = frame.module.startswith(f"{folder}/") or not frame.module.startswith("/")
    return inside and frame.line > 0


def _code(source: str, folder: Path, own: list[Frame], at: Frame) -> str:
    """Return the line itself, where it can be had."""
    if at.file.endswith(STDIN):
        names = {frame.function for frame in own if frame.file == at.file}
        line = embedded_line(source, names, at.line)
    else:
        text = _read(Path(at.file), folder)
        line = _line([text], at.line) if text else embedded_line(source, (), at.line, at.file)
    return f": `{line}`" if line is not None else ""


def embedded_line(
    source: str, functions: Iterable[str], number: int, file: str = STDIN
) -> str | None:
    """Return a line of the C++ that a candidate holds in strings; None where that is ambiguous.

    Args:
        functions: defined in that C++, as a debugger names them.
        file: the file that a debugger names: a part may be given a name by a `#line`.
    """
    if file.endswith(STDIN):
        return _line(_sources(source, {_identifier(function) for function in functions}), number)
    return _line(_named(source, Path(file).name), number)


def _line(texts: Iterable[str], number: int) -> str | None:
    numbered = [text.split("\n") for text in texts]
    lines = {text[number - 1].strip() for text in numbered if number <= len(text)}
    return lines.pop()[:MAX_CODE] if len(lines) == 1 else None


def _identifier(function: str) -> str:
    """Return a function's own name: f for `ns::f(int)` and `f._omp_fn.0`."""
    return re.split(r"[(<.]", function)[0].rpartition("::")[2]


def _sources(source: str, functions: set[str]) -> Iterator[str]:
    """Yield string constants that define these functions, without what a `#line` names."""
    for text in _strings(source):
        own = text.rpartition(f'#line 1 "{STDIN}"\n')[2]
        if all(name in own for name in functions):
            yield own


def _strings(source: str) -> Iterator[str]:
    """Yield the string constants of a candidate."""
    try:
        nodes = list(ast.walk(syntax.parse(source)))
    except syntax.UNREADABLE:
        return
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _named(source: str, file: str) -> Iterator[str]:
    """Yield the parts of string constants to which a `#line` gives this name."""
    for text in _strings(source):
        for part in text.split(f'#line 1 "{file}"\n')[1:]:
            yield part.partition("\n#line ")[0]


def _read(path: Path, folder: Path) -> str | None:
    # The path is the worker's word: nothing outside its folder is read, and no pipe.
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(folder.resolve()) or not real.is_file():
        return None
    with real.open(errors="replace") as file:
        return file.read(MAX_SOURCE)
