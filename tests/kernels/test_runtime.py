"""Runtimes: files name them by a line, which stands for a text that never changes."""

from __future__ import annotations

import ast
import hashlib
import re

import pytest

from kernelwright.kernels.catalog import LIBRARIES
from kernelwright.kernels.runtime import (
    LATEST,
    RUNTIMES,
    Runtime,
    UnknownRuntimeError,
    complete,
    shortened,
)

FROZEN = {
    "cpp-runtime 1": "89e1985c8d249c28",
    "triton-runtime 1": "7c614c60788e5334",
    "cuda-runtime 1": "c7e89b5ba3a77e22",
}
"""SHA-256 of the texts. A new text is a new version, beside those that are released."""
EVERY = pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=list(RUNTIMES))


@EVERY
def test_a_version_keeps_its_text(runtime: Runtime) -> None:
    assert hashlib.sha256(runtime.text.encode()).hexdigest()[:16] == FROZEN[runtime.name]


@EVERY
def test_everything_that_a_runtime_defines_is_in_its_api(runtime: Runtime) -> None:
    tree = ast.parse(runtime.text)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    own |= set(
        re.findall(r"^(?:INLINE|__device__ __forceinline__) \w+ (\w+)\(", runtime.text, re.M)
    )
    told = set(re.findall(r"\w+", runtime.api))
    assert own - told == ({"torch_openmp", "platform"} if "cpp" in runtime.name else set())


@pytest.mark.parametrize("backend", LATEST)
def test_library_files_are_short_and_whole_again(backend: str) -> None:
    library, runtime = LIBRARIES[backend], LATEST[backend]
    for kernel in library.kernels.values():
        whole = library.file("A title.", [library.part(kernel, {})], "class ModelNew: ...\n")
        short = shortened(whole)
        assert runtime.line in short.splitlines() and runtime.text not in short
        assert complete(short) == complete(whole) == whole
        ast.parse(short)


@pytest.mark.parametrize("backend", LATEST)
def test_the_outline_is_a_file(backend: str) -> None:
    whole = complete(LATEST[backend].outline)
    compile(whole, "outline.py", "exec")
    assert "class ModelNew" in whole and LATEST[backend].text in whole


def test_a_file_that_names_none_stays_as_it_is() -> None:
    for source in ("", "import ctypes\n", "x = '# kernelwright: cpp-runtime 9'\n"):
        assert complete(source) == shortened(source) == source


@pytest.mark.parametrize("name", ["cpp-runtime 99", "cpp-runtime", "rust-runtime 1", ""])
def test_an_unknown_runtime_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownRuntimeError, match="cpp-runtime 1, triton-runtime 1"):
        complete(f"import math\n# kernelwright: {name}\n")


def test_nothing_comes_before_a_future_import() -> None:
    written = f'"""A title."""\n{LATEST["cpp"].line}\r\nfrom __future__ import annotations\nX = 1\n'
    compile(complete(written), "file.py", "exec")
