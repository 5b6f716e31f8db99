"""Wrappers of the kernel library refuse operands that native code would read past the end of."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernelwright.kernels.catalog import LIBRARIES
from kernelwright.kernels.cpp import KERNELS
from kernelwright.kernels.library import text_of


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


def indices(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


def packed(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.uint8)


NONE: Any = None
# Kernel -> arguments that fit, and others that do not.
CALLS: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "attention": (
        [(ones(2, 5, 4), ones(2, 7, 4), ones(2, 7, 4)), (ones(0, 5, 4),) * 3, (ones(5, 4),) * 3],
        [
            (ones(2, 3, 5, 4), ones(2, 1, 5, 4), ones(2, 1, 5, 4)),
            (ones(2, 5, 4), ones(2, 7, 4), ones(2, 6, 4)),
            (ones(2, 5, 4), ones(2, 7, 3), ones(2, 7, 3)),
            (ones(2, 5, 4), ones(2, 7, 4), ones(2, 7, 8)),
            (ones(2, 5, 4), ones(2, 7, 4), ones(2, 7, 4), None, True),
            (ones(2, 5, 4), ones(2, 0, 4), ones(2, 0, 4)),
            (ones(4),) * 3,
        ],
    ),
    "cross_entropy": (
        [(ones(3, 5), indices(3))],
        [(ones(3, 5), indices(4)), (ones(3, 5), indices(3, 5)), (ones(2, 3, 5), indices(2)),
         (ones(3, 0), indices(3))],
    ),
    "cumsum": ([(ones(3, 5),), (ones(0, 5),), (ones(3, 0),)], [(ones(),)]),
    "softmax": ([(ones(3, 5),), (ones(0, 5),), (ones(3, 0),)], [(ones(),)]),
    "depthwise_conv2d": (
        [(ones(2, 3, 8, 8), ones(6, 1, 3, 3), ones(6)), (ones(0, 3, 8, 8), ones(3, 1, 3, 3), NONE)],
        [
            (ones(2, 4, 8, 8), ones(6, 1, 3, 3), NONE),
            (ones(2, 3, 8, 8), ones(3, 3, 3, 3), NONE),
            (ones(2, 3, 8, 8), ones(3, 1, 3, 3), ones(4)),
            (ones(2, 3, 2, 2), ones(3, 1, 3, 3), NONE),
            (ones(3, 8, 8), ones(3, 1, 3, 3), NONE),
            (ones(2, 3, 8, 8), ones(3, 1, 3, 3), NONE, 1, -1),
        ],
    ),
    "elementwise_chain": (
        [(ones(3, 5), ones(3, 5), ones(5)), (ones(0, 5), ones(0, 5), ones(5))],
        [(ones(3, 5), ones(5), ones(5)), (ones(3, 5), ones(3, 5), ones(1)),
         (ones(3, 5), ones(3, 5), ones(3, 5))],
    ),
    "int4_gemv": (
        [(ones(2, 8), packed(3, 4), ones(3, 2), ones(3, 2))],
        [
            (ones(2, 6), packed(3, 4), ones(3, 2), ones(3, 2)),
            (ones(2, 8), packed(2, 4), ones(3, 2), ones(3, 2)),
            (ones(2, 8), packed(3, 4), ones(3, 2), ones(3, 1)),
            (ones(2, 8), packed(3, 4), ones(3, 3), ones(3, 3)),
            (ones(2, 0), packed(3, 0), ones(3, 2), ones(3, 2)),
        ],
    ),
    "group_norm": (
        [(ones(2, 6, 4), 3, ones(6), NONE, 1e-5), (ones(0, 6), 2, NONE, NONE, 1e-5)],
        [(ones(6), 3, NONE, NONE, 1e-5), (ones(2, 6, 4), 4, NONE, NONE, 1e-5),
         (ones(2, 6), 3, ones(5), NONE, 1e-5), (ones(2, 0, 3), 1, NONE, NONE, 1e-5)],
    ),
    "layer_norm": (
        [(ones(3, 5), ones(5), ones(5), 1e-5), (ones(2, 3, 5), ones(3, 5), NONE, 1e-5, 2),
         (ones(0, 5), NONE, NONE, 1e-5), (ones(3, 0), NONE, NONE, 1e-5)],
        [(ones(3, 6), ones(5), ones(5), 1e-5), (ones(3, 5), ones(5), ones(6), 1e-5),
         (ones(3, 5), ones(1), NONE, 1e-5), (ones(5), NONE, NONE, 1e-5, 2),
         (ones(), NONE, NONE, 1e-5)],
    ),
    "linear_gelu": (
        [(ones(2, 3, 5), ones(4, 5), ones(4)), (ones(0, 5), ones(4, 5), NONE),
         (ones(5), ones(4, 5), NONE)],
        [(ones(3, 6), ones(4, 5), NONE), (ones(3, 5), ones(4, 5), ones(5)),
         (ones(3, 5), ones(5), NONE), (ones(), ones(4, 5), NONE), (ones(3, 0), ones(4, 0), NONE)],
    ),
    "rms_norm": (
        [(ones(3, 5), ones(3, 5), ones(5), 1e-5), (ones(0, 5), NONE, NONE, 1e-5)],
        [(ones(3, 5), ones(5), ones(5), 1e-5), (ones(5), ones(3, 5), ones(5), 1e-5),
         (ones(3, 6), NONE, ones(5), 1e-5), (ones(3, 5), NONE, ones(1), 1e-5),
         (ones(), NONE, NONE, 1e-5)],
    ),
    "rope": (
        [(ones(2, 3, 4), ones(3, 4), ones(3, 4)), (ones(0, 3, 4), ones(3, 4), ones(3, 4))],
        [(ones(2, 5, 4), ones(3, 4), ones(3, 4)), (ones(2, 3, 4), ones(3, 4), ones(2, 4)),
         (ones(2, 3, 4), ones(2, 3, 4), ones(2, 3, 4)), (ones(2, 3, 5), ones(3, 5), ones(3, 5)),
         (ones(4), ones(4), ones(4))],
    ),
    "topk": ([(ones(3, 5), 2)], [(ones(3, 5), 6), (ones(3, 5), 0), (ones(3, 0), 1), (ones(), 1)]),
}  # fmt: skip


class Called(Exception):
    """The sign of a call of native code."""


def native(*_args: Any, **_kwargs: Any) -> None:
    raise Called


class Launched:
    """A GPU kernel that can't be launched."""

    def __getitem__(self, _grid: Any) -> Any:
        return native


def wrapper(language: str, name: str) -> Any:
    """Return a wrapper on CPU tensors, without the native code that it calls."""
    text = text_of(f"{language}/loader.py") + text_of(f"{language}/{name}.py")
    names: dict[str, Any] = {"unlaunched": lambda _kernel: Launched()}
    exec(text.replace("@triton.jit\n", "@unlaunched\n"), names)
    names |= {f"{name}_{language}": native, f"{name.upper()}_THREADS": 1}
    if language == "cuda":
        names["dense"] = lambda x, dtype=torch.float32: x
    return names[name]


@pytest.mark.parametrize(
    ("language", "name"),
    [(language, name) for language, found in LIBRARIES.items() for name in found.kernels],
)
def test_operands_that_do_not_fit(language: str, name: str) -> None:
    call = wrapper(language, name)
    good, bad = CALLS[name]
    for arguments in good:
        try:
            call(*arguments)  # on a GPU nothing is launched for empty tensors
        except Called:
            continue
        assert language != "cpp" and 0 in arguments[0].shape
    for arguments in bad:
        with pytest.raises(ValueError, match="the kernel can't take shapes"):
            call(*arguments)


def test_every_kernel_is_tried() -> None:
    assert set(CALLS) == set(KERNELS)
