"""The kernel library: parameterised kernels that `offline` emits and language models are shown.

It has the same wrappers in several languages, a folder of `sources` each.
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
    """File name, and that of the Python function that calls it."""
    category: str
    """Operator class, as tasks name theirs."""
    tunables: Mapping[str, tuple[int, ...]] = {}
    """Constant -> values worth trying; the first is the default."""


class Part(NamedTuple):
    """One kernel as it goes into a candidate."""

    name: str
    source: str
    """Complete, in the library's language."""
    wrapper: str = ""
    """Python that calls it, where that is another language."""


class Library(NamedTuple):
    """The kernels in one language."""

    backend: str
    """Of candidates made with it."""
    title: str
    """What to call its kernels."""
    kernels: Mapping[str, Kernel]
    part: Callable[[Kernel, Mapping[str, Scalar]], Part]
    """A kernel with chosen tunables."""
    file: Callable[[str, Sequence[Part], str], str]
    """A self-contained candidate from its title, the kernels, and the source of everything else,
    with `class ModelNew`."""


@functools.cache
def text_of(name: str) -> str:
    """A file of the library."""
    return (SOURCES / name).read_text()


def joined(sections: Sequence[str]) -> str:
    """Sections of a Python file."""
    return "\n\n".join(section.strip("\n") + "\n" for section in sections)


def bound_file(
    title: str, loader: str, parts: Sequence[Part], bind: Callable[[Part, str], str], model: str
) -> str:
    """A candidate whose kernels are another language's: source, what binds it, wrapper.

    Args:
        bind: a statement that compiles a part whose source is in the named constant.
    """
    sections = [f'"""{title}"""\n', text_of(loader)]
    for part in parts:
        constant = f"{part.name.upper()}_SOURCE"
        sections.append(f"{constant} = r'''\n{part.source}'''\n{bind(part, constant)}\n")
        sections.append(part.wrapper)
    return joined([*sections, model])


def defined(tunables: Mapping[str, Scalar]) -> str:
    """Lines for a C preprocessor: a library's constants are macros with a default."""
    return "".join(f"#define {name} {value}\n" for name, value in sorted(tunables.items()))
