"""Tests that pooled memory is used again, but never while a tensor holds it."""

from __future__ import annotations

import gc

import pytest
import torch

from kernelwright.verifier.worker import hugepages
from kernelwright.verifier.worker.hugepages import PAGE_BYTES, pooled_buffer


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # what earlier tests left
    monkeypatch.setattr(hugepages, "_free", {})


def test_what_nobody_holds_is_used_again() -> None:
    first = pooled_buffer(PAGE_BYTES + 1)
    place = first.data_ptr()
    del first
    gc.collect()
    assert pooled_buffer(2 * PAGE_BYTES).data_ptr() == place
    assert pooled_buffer(PAGE_BYTES).data_ptr() != place


def test_a_view_keeps_its_memory() -> None:
    whole = pooled_buffer(1000).fill_(7)
    view = whole[16:24].view(torch.int64)
    del whole
    gc.collect()
    pooled_buffer(1000).zero_()
    assert view.item() == 0x0707070707070707


def test_no_more_is_kept_than_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugepages, "KEPT_BYTES", 3 * PAGE_BYTES)
    taken = [pooled_buffer(PAGE_BYTES) for _ in range(5)]
    taken.clear()
    gc.collect()
    assert len(hugepages._free[PAGE_BYTES]) == 3
