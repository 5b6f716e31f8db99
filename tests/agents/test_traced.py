"""Traced graphs as models are told them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kernelwright.agents.model.traced import LAST_LINES, MOST_LINES, category, dtypes, lines
from tests.agents.offline_kit import graph_of, library_graph, traced


def test_a_graph_has_shapes_types_and_strides_of_everything() -> None:
    model = nn.Linear(8, 3).to(torch.bfloat16)
    graph = graph_of(model, torch.randn(8, 5).to(torch.bfloat16).T)
    assert lines(graph) == (
        "p_weight: parameter or buffer weight, bfloat16[3, 8]",
        "p_bias: parameter or buffer bias, bfloat16[3]",
        "input: input, bfloat16[5, 8] strides [1, 5]",
        "linear = aten.linear(input, p_weight, p_bias) -> bfloat16[5, 3]",
        "return linear",
    )
    assert dtypes(graph) == ("bfloat16",)


def test_of_a_long_graph_the_beginning_and_the_end_are_told() -> None:
    def chain(x: torch.Tensor) -> torch.Tensor:
        for _ in range(50):
            x = x.sin()
        return x

    found = lines(traced(chain, torch.randn(4)))
    assert len(found) == MOST_LINES and found[-1] == "return sin_49"
    assert found[-LAST_LINES - 1] == "... 23 more lines ..."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("attention", "attention"),
        ("cross_entropy", "loss"),
        ("cumsum", "scan"),
        ("depthwise_conv", "convolution"),
        ("elementwise_chain", "elementwise"),
        ("int4_gemv", "quantized_matmul"),
        ("layernorm", "normalization"),
        ("matmul_bias_gelu", "matmul"),
        ("rmsnorm_residual", "normalization"),
        ("rope", "position_embedding"),
        ("softmax", "softmax"),
        ("topk", "selection"),
    ],
)
def test_library_tasks_are_of_the_class_that_they_name(name: str, expected: str) -> None:
    assert category(library_graph(name)) == expected


def test_other_modules_have_a_class_or_none() -> None:
    images = torch.randn(1, 3, 8, 8)
    assert category(graph_of(nn.Conv2d(3, 4, 3), images)) == "dense_convolution"
    assert category(graph_of(nn.AvgPool2d(2), images)) == "pooling"
    assert category(traced(lambda x: x.sum(1), torch.randn(3, 4))) == "reduction"
    assert category(traced(lambda x: x[:, ::2], torch.randn(3, 4))) is None
