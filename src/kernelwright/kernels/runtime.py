"""Runtimes: the loader and helpers of a language, frozen by version and named by one line.

A complete file holds the text between two lines. A model writes and is shown the first line alone:
that is half of every file, and none of its work. A released text never changes: what is new is a
new version beside it, since stored files and recorded answers go on naming the old one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kernelwright.kernels.library import text_of

SIGN = "# kernelwright: "
# A compiler counts the lines of what comes behind from 1: as the model that wrote them does.
HELPERS = '\n#line 1 "{file}"\n{text}#line 1 "<stdin>"\n'
_NAMED = re.compile(rf"^{SIGN}(.*?)[ \t\r]*$", re.M)
_FUTURE = re.compile(r"^from __future__ import .*\n", re.M)


class UnknownRuntimeError(Exception):
    """The error of a file that names a runtime which there is not."""


class Runtime(NamedTuple):
    """One version of a language's loader and helpers."""

    name: str
    """Name and version, as a file has them."""
    text: str
    """The whole text, from the line that names it to the one that ends it."""
    api: str
    """Its names, one line each, as a model is told."""
    outline: str
    """A file that uses it, without a kernel; its first line names it."""
    helpers: str = ""
    """The value of its `HELPERS`: code in front of a kernel's own."""

    @property
    def line(self) -> str:
        """The line that stands for it."""
        return SIGN + self.name


def _runtime(language: str, version: int, helpers: str = "") -> Runtime:
    name = f"{language}-runtime {version}"
    code = HELPERS.format(file=helpers, text=text_of(f"{language}/{helpers}")) if helpers else ""
    constant = f"\n\nHELPERS = r'''{code}'''\n" if helpers else ""
    body = text_of(f"{language}/loader.py") + constant
    text = f"{SIGN}{name}\n{body}{SIGN}end of {name}\n"
    outline = f"{SIGN}{name}\n\n{text_of(f'{language}/outline.py')}"
    return Runtime(name, text, text_of(f"{language}/api.txt").strip(), outline, code)


CPP_RUNTIME = _runtime("cpp", 1, "common.h")
TRITON_RUNTIME = _runtime("triton", 1)
CUDA_RUNTIME = _runtime("cuda", 1, "common.cuh")
RUNTIMES: Mapping[str, Runtime] = {
    runtime.name: runtime for runtime in (CPP_RUNTIME, TRITON_RUNTIME, CUDA_RUNTIME)
}
"""All that a file may name."""
LATEST: Mapping[str, Runtime] = {"cpp": CPP_RUNTIME, "triton": TRITON_RUNTIME, "cuda": CUDA_RUNTIME}
"""The one for new files, by backend."""


def complete(source: str) -> str:
    """Return a file with the text of the runtime that it names; one that names none as it is.

    Raises:
        UnknownRuntimeError: there is no such runtime.
    """
    named = _NAMED.search(source)
    if named is None or named[1] in RUNTIMES and RUNTIMES[named[1]].text in source:
        return source
    if named[1] not in RUNTIMES:
        raise UnknownRuntimeError(
            f"{named[0].strip()!r} names no runtime; there are: {', '.join(RUNTIMES)}"
        )
    before, after = source[: named.start()], source[named.end() :].removeprefix("\n")
    # Nothing but a docstring may stand in front of these.
    future = "".join(_FUTURE.findall(after))
    return f"{before}{future}{RUNTIMES[named[1]].text}{_FUTURE.sub('', after)}"


def shortened(source: str) -> str:
    """Return a file with the line that names its runtime in place of the text."""
    for runtime in RUNTIMES.values():
        source = source.replace(runtime.text, f"{runtime.line}\n")
    return source
