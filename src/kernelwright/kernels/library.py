"""The kernel library: parameterised kernels that `offline` emits and prompts show.

It has the same wrappers in several languages, with a folder of `sources` for each language.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.schema import Scalar

SOURCES = Path(__file__).parent / "sources"


class Kernel(NamedTuple):
    """One entry of the library."""

    name: str
    """Name of the file, and of the Python function that calls the kernel."""
    category: str
    """Operator class, as in `Task.category`."""
    tunables: Mapping[str, tuple[int, ...]] = {}
    """Constant -> values worth trying; the first is the default."""
    shared: tuple[str, ...] = ()
    """Files of code that it shares with others, which go before its own."""


class Part(NamedTuple):
    """One kernel as it goes into a candidate."""

    name: str
    source: str
    """Source in the library's language, without the runtime's helpers."""
    wrapper: str = ""
    """Python code that calls the kernel, where the library's language is another."""
    constants: str = ""
    """Python statements that choose its tunables, where its source doesn't."""


class Library(NamedTuple):
    """The kernels in one language."""

    backend: str
    """Backend of candidates made with the library."""
    title: str
    """Name of its kernels in the candidates' titles."""
    kernels: Mapping[str, Kernel]
    part: Callable[[Kernel, Mapping[str, Scalar]], Part]
    """Makes a part of a kernel with chosen tunables."""
    file: Callable[[str, Sequence[Part], str], str]
    """Makes a self-contained candidate from its title, the kernels, and the source of everything
    else, with `class ModelNew`."""
    examples: Mapping[str, Kernel] = {}
    """Kernels that are shown and not proposed, by operator class; their wrappers have a
    `ModelNew`."""


@functools.cache
def text_of(name: str) -> str:
    """Return the text of a file below `sources`."""
    return (SOURCES / name).read_text()


def joined(sections: Sequence[str]) -> str:
    """Return the text of a Python file from its sections."""
    return "\n\n".join(section.strip("\n") + "\n" for section in sections)


def bound_file(
    title: str, runtime: str, parts: Sequence[Part], bind: Callable[[Part, str], str], model: str
) -> str:
    """Return a candidate file with kernels in another language than Python.

    Each kernel has its source as a constant, a statement that compiles it, and its wrapper.

    Args:
        runtime: text of the loader and the helpers.
        bind: makes the statement that compiles a part, from the part and its constant's name.
    """
    sections = [f'"""{title}"""\n', runtime]
    for part in parts:
        constant = f"{part.name.upper()}_SOURCE"
        source = f"{constant} = r'''\n{part.source}'''\n"
        sections.append(f"{part.constants}{source}{bind(part, constant)}\n")
        sections.append(part.wrapper)
    return joined([*sections, model])


def defined(tunables: Mapping[str, Scalar]) -> str:
    """Return the `#define` lines of chosen tunables: a kernel's constants are macros."""
    return "".join(f"#define {name} {value}\n" for name, value in sorted(tunables.items()))
