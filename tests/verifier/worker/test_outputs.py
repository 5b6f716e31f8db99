"""Results of any layout are read from a process's memory."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.outputs import checked_run, read_result


def read(tensor: torch.Tensor) -> Any:
    """Read a tensor of this process as if it were a worker's result."""
    entry = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "device": "cpu",
        "conj": tensor.is_conj(),
        "neg": tensor.is_neg(),
    }
    told = {"ns": 1, "value": {"t": 0}, "entries": [entry], "at": [[tensor.data_ptr()]]}
    found = read_result(os.getpid(), checked_run(told, 1, 1.0), 0)
    assert found is not None
    return found.tensors[0]


@pytest.mark.parametrize(
    "of",
    [
        lambda base: base,
        lambda base: base[:, -1],
        lambda base: base[:, :, 3],
        lambda base: base[:, 0].T,
        lambda base: base[::2, ::97, ::5],
        lambda base: base[0, 0, 0],
        lambda base: base[:, :0],
        lambda base: base[1:, -1:, 4:5],
        lambda base: base.to(torch.complex64)[:, -1].conj(),
    ],
    ids=range(9),
)
def test_a_slice_of_something_larger_is_read(of: Any) -> None:
    base = torch.arange(7 * 200 * 11, dtype=torch.float32).view(7, 200, 11)
    torch.testing.assert_close(read(of(base)), of(base), rtol=0, atol=0)


def test_numbers_that_lie_far_apart_are_read_one_by_one_up_to_a_limit() -> None:
    base = torch.arange(2**16 * 65 + 1, dtype=torch.int32)
    assert torch.equal(read(base[::65][: 2**16]), base[::65][: 2**16])
    with pytest.raises(WorkerFault, match="too far apart"):
        read(base[::65])
