"""Results of uses that are large: some of their elements stand for all."""

from __future__ import annotations

import torch

from kernelwright.verifier.inside.uses import MOST_KEPT, kept


def test_a_small_result_is_kept_whole() -> None:
    value = torch.randn(4, 5).t()
    found = kept([value, 3])
    assert torch.equal(found[0], value) and found[1] == 3
    assert found[0].data_ptr() != value.data_ptr()


def test_of_a_large_result_the_same_elements_are_kept_wherever_they_lie() -> None:
    value = torch.randn(3, MOST_KEPT)
    wide = torch.empty(3, 2 * MOST_KEPT)[:, ::2].copy_(value)
    one, other = kept(value), kept({"y": wide})["y"]
    assert one["shape"] == other["shape"] == [3, MOST_KEPT]
    assert torch.equal(one["some of its elements"], other["some of its elements"])
    assert len(one["some of its elements"]) == MOST_KEPT
    value[1] += 1
    share = (kept(value)["some of its elements"] != one["some of its elements"]).float().mean()
    assert 0.3 < share < 0.37
    torch.manual_seed(0)
    before = torch.get_rng_state()
    kept(value)
    assert torch.equal(before, torch.get_rng_state())
