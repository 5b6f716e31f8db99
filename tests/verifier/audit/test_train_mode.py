"""Parts of a module that compute something else in train mode."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from kernelwright.verifier.inside.train_mode import parts


@pytest.mark.parametrize(
    ("part", "differs"),
    [
        (nn.Dropout(0.1), True),
        (nn.Dropout(0.0), False),
        (nn.BatchNorm2d(4), True),
        (nn.InstanceNorm2d(4), False),
        (nn.InstanceNorm2d(4, track_running_stats=True), True),
        (nn.MultiheadAttention(8, 2), False),
        (nn.MultiheadAttention(8, 2, dropout=0.1), True),
        (nn.LSTM(4, 4, num_layers=2, dropout=0.1), True),
        (nn.LayerNorm(4), False),
    ],
)
def test_parts_that_differ_are_named(part: nn.Module, differs: bool) -> None:
    loaded = {"one": SimpleNamespace(model=nn.Sequential(nn.ReLU(), part))}
    assert parts(loaded, "one") == ([type(part).__name__] if differs else [])
    part.eval()
    assert parts(loaded, "one") == []
