"""The corpus of uses is what it says: modules that run, files for them, and misuses of them."""

from __future__ import annotations

import ast
import runpy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.verifier.uses.catalogue import USES
from tests.uses.corpus import (
    FOLDER,
    MODEL_FILES,
    OUTCOMES,
    Misuse,
    misuses,
    model_files,
    modules,
)

MOST_BYTES = 2**22
# A call takes 0.05 to 20 ms on two quiet threads. The rest is for a machine that is not.
MOST_SECONDS = 2.0
CANDIDATES = [*model_files().values(), *sorted((FOLDER / "misuses").glob("*.py"))]


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a nest."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors(part)


def made(names: dict[str, Any]) -> tuple[nn.Module, list[Any]]:
    """Return a module and its inputs, always the same."""
    torch.manual_seed(42)
    model: nn.Module = names["Model"](*names["get_init_inputs"]())
    return model, names["get_inputs"]()


def test_the_corpus_is_large_enough() -> None:
    assert len(modules()) >= 44
    assert len(model_files()) >= 32
    assert len(misuses()) >= 32


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_a_module_runs_and_is_repeatable(path: Path) -> None:
    names = runpy.run_path(str(path), run_name=f"uses_{path.stem}")
    results = []
    for _ in range(2):
        model, inputs = made(names)
        start = time.perf_counter()
        with torch.inference_mode():
            results.append(list(tensors(model(*inputs))))
        assert time.perf_counter() - start < MOST_SECONDS
        state = [*model.parameters(), *model.buffers()]
        assert sum(t.numel() * t.element_size() for t in tensors([inputs, state])) < MOST_BYTES
    first, second = results
    assert first
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_every_model_file_belongs_to_a_module() -> None:
    assert sorted(MODEL_FILES.glob("*.py")) == [MODEL_FILES / path.name for path in model_files()]
    assert set(model_files()) <= set(modules())


@pytest.mark.parametrize("path", CANDIDATES, ids=lambda path: path.stem)
def test_a_candidate_stands_alone(path: Path) -> None:
    tree = ast.parse(path.read_text())
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert "ModelNew" in classes
    assert "Model" not in classes


def test_every_misuse_is_in_the_table_once() -> None:
    found = misuses()
    assert len({misuse.name for misuse in found}) == len(found)
    listed = {misuse.path for misuse in found}
    assert listed <= set(CANDIDATES)
    assert set((FOLDER / "misuses").glob("*.py")) <= listed


@pytest.mark.parametrize("misuse", misuses(), ids=lambda misuse: misuse.name)
def test_a_misuse_names_a_module_and_what_finds_it(misuse: Misuse) -> None:
    assert misuse.task in modules()
    assert misuse.uses
    assert set(misuse.uses) <= set(USES)
    assert misuse.outcomes
    assert set(misuse.outcomes) <= set(OUTCOMES)


def test_most_uses_have_a_misuse() -> None:
    meant = {use for misuse in misuses() for use in misuse.uses}
    assert len(meant) >= len(USES) - 2
