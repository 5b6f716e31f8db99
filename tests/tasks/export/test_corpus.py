"""Tests on ordinary modules: each one as a task gives the same values, and its file runs alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kernelwright.errors import UsageError
from tests.tasks.export.kit import built, from_file, written
from tests.uses.corpus import modules

NOT_EXPORTABLE = {"kv_cache_attention": "line 28.*values of a tensor"}
"""Modules that are refused, with a word of the sentence that says why."""


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_an_ordinary_module_is_written_as_a_task(path: Path) -> None:
    module, inputs = from_file(path)
    if path.stem in NOT_EXPORTABLE:
        with pytest.raises(UsageError, match=NOT_EXPORTABLE[path.stem]):
            written(module, inputs)
        return
    source = written(module, inputs).source
    model, own = built(source)
    assert set(module.state_dict()) == set(model.state_dict())
    tied = [name for name, _ in module.named_parameters()]
    assert tied == [name for name, _ in model.named_parameters()]
    with torch.no_grad():
        result = model(*own)
    first = result[0] if isinstance(result, tuple) else result
    assert isinstance(first, torch.Tensor) and bool(first.double().isfinite().any())
