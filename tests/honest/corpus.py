"""The honest corpus: candidates that a fair judge accepts, each with the task that it answers.

A refusal of any of them is a false alarm. Speed does not matter. Some are generated here (library
kernels with several tunables, the reference under another name, torch.compile); the others lie in
`candidates/<task>/`, where a folder is named after a file in `tasks/` or after a library task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from kernelwright.agents.offline.design import Design
from kernelwright.agents.offline.emit import (
    compiled_candidate,
    library_candidate,
    renamed_reference,
)
from kernelwright.backends.registry import guess_backend
from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.library import SOURCES, Library
from kernelwright.kernels.triton import TRITON
from kernelwright.schema import Candidate, Origin
from kernelwright.tasks.loader import library_ids, load_task

TASKS = Path(__file__).parent / "tasks"
CANDIDATES = Path(__file__).parent / "candidates"
# Stands in written candidates for the text of the loader that makes them self-contained.
LOADER_IMPORT = re.compile(r"^from cpp_loader import .*\n", re.MULTILINE)


class Pair(NamedTuple):
    """A candidate and its task."""

    name: str
    """Unique: task/candidate."""
    task: str
    """Library id or path, as the command line takes it."""
    source: str
    backend: str

    @property
    def candidate(self) -> Candidate:
        """The source as a candidate."""
        return Candidate(source=self.source, backend=self.backend, origin=Origin(kind="user"))


class Use(NamedTuple):
    """The answer of a library kernel to a library task."""

    kernel: str
    body: str
    """Body of `forward`."""
    tunables: tuple[dict[str, int], ...]
    """Choices besides the defaults."""


LIBRARY = {
    "attention": Use(
        "attention",
        "return attention(q, k, v)",
        ({"QUERIES": 24, "KEYS": 64}, {"QUERIES": 96, "KEYS": 256}),
    ),
    "cross_entropy": Use(
        "cross_entropy",
        "return cross_entropy(logits, target)",
        ({"UNROLL": 2, "CHUNK": 1024}, {"UNROLL": 8, "CHUNK": 8192}),
    ),
    "cumsum": Use("cumsum", "return cumsum(x)", ({"PARALLEL_FROM": 65536},)),
    "depthwise_conv": Use(
        "depthwise_conv2d",
        "return depthwise_conv2d(x, self.conv.weight, self.conv.bias, 1, 1, 1)",
        ({"ROWS": 1}, {"ROWS": 2}),
    ),
    "elementwise_chain": Use(
        "elementwise_chain",
        "return elementwise_chain(x, gate, self.bias)",
        ({"PARALLEL_FROM": 65536},),
    ),
    "int4_gemv": Use(
        "int4_gemv",
        "return int4_gemv(x, self.packed, self.scales, self.zeros)",
        ({"TOKENS": 1}, {"TOKENS": 8}),
    ),
    "layernorm": Use(
        "layer_norm",
        "return layer_norm(x, self.norm.weight, self.norm.bias, self.norm.eps)",
        ({"UNROLL": 2}, {"UNROLL": 8}),
    ),
    "matmul_bias_gelu": Use(
        "linear_gelu",
        "return linear_gelu(x, self.linear.weight, self.linear.bias)",
        ({"BLOCK_M": 24, "BLOCK_N": 32}, {"BLOCK_M": 96, "BLOCK_N": 128}),
    ),
    "rmsnorm_residual": Use(
        "rms_norm",
        "return rms_norm(x, residual, self.weight, self.eps)",
        ({"UNROLL": 2}, {"UNROLL": 8}),
    ),
    "rope": Use("rope", "return rope(x, self.cos, self.sin)", ({"PARALLEL_FROM": 65536},)),
    "softmax": Use("softmax", "return softmax(x)", ({"UNROLL": 2}, {"UNROLL": 8})),
    "topk": Use("topk", "return topk(x, self.k)", ({"SLACK": 32}, {"SLACK": 512})),
}
# Building one takes half a minute where everything else takes a second, so there are few.
COMPILED = (
    "library/elementwise_chain",
    "library/layernorm",
    "library/softmax",
    "batch_norm_train",
    "linear_relu",
    "moments",
    "nested_outputs",
)


def load_corpus() -> list[Pair]:
    """Return every pair, always in the same order."""
    return [*_library(), *_triton(), *_references(), *_compiled(), *_written()]


def task_reference(name: str) -> str:
    """Return the command line's name of the task: the path of a file here, else a library id."""
    path = TASKS / f"{name}.py"
    return str(path) if path.is_file() else f"library/{name.removeprefix('library/')}"


def library_source(
    library: Library, task: str, tunables: Mapping[str, int] = MappingProxyType({})
) -> str:
    """Return the source of a library task's answer by its kernel in one language."""
    use = LIBRARY[task]
    plan = Design(library, (), (use.kernel,), (use.body,), ())
    chosen = {f"{use.kernel}.{name}": value for name, value in tunables.items()}
    title = f"The library's {use.kernel}."
    return library_candidate(load_task(task).source, title, plan, chosen)


def _library() -> Iterator[Pair]:
    for task, use in LIBRARY.items():
        for tunables in ({}, *use.tunables):
            words = "-".join(f"{name.lower()}-{value}" for name, value in tunables.items())
            source = library_source(CPP, task, tunables)
            yield Pair(f"{task}/library-{words or 'default'}", f"library/{task}", source, "cpp")


def _triton() -> Iterator[Pair]:
    for task in LIBRARY:
        yield Pair(f"{task}/triton", f"library/{task}", library_source(TRITON, task), "triton")


def _references() -> Iterator[Pair]:
    own = [path.stem for path in sorted(TASKS.glob("*.py"))]
    for name in [*library_ids(), *own]:
        reference = task_reference(name)
        source = renamed_reference(load_task(reference).source, None)
        yield Pair(f"{_short(name)}/reference", reference, source, "torch")


def _compiled() -> Iterator[Pair]:
    for name in COMPILED:
        reference = task_reference(name)
        source = compiled_candidate(load_task(reference).source, "The reference, compiled.", {})
        yield Pair(f"{_short(name)}/compiled", reference, source, "inductor")


def _written() -> Iterator[Pair]:
    loader = (SOURCES / "cpp" / "loader.py").read_text()
    for path in sorted(CANDIDATES.glob("*/*.py")):
        source = LOADER_IMPORT.sub(lambda _: loader, path.read_text())
        name = f"{path.parent.name}/{path.stem}"
        yield Pair(name, task_reference(path.parent.name), source, guess_backend(source))


def _short(name: str) -> str:
    return name.removeprefix("library/")
