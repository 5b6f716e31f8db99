"""The example of a weight that is packed once: right for any size, and after any change."""

from __future__ import annotations

import copy
from types import ModuleType

import pytest
import torch

from kernelwright.agents.tunables import tunables
from kernelwright.kernels.runtime import shortened
from kernelwright.prompts.exemplar import exemplar
from tests.agents.offline_kit import imported


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Return the example as a module, built once."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
        return imported(folder / "candidate.py", exemplar("matmul"))


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (7, 16, 33), (100, 50, 1200), (49, 17, 512), (6, 40, 513)]
)
def test_values(example: ModuleType, m: int, n: int, k: int) -> None:
    model, x = example.ModelNew(k, n), torch.randn(2, m, k)
    with torch.no_grad():
        expected = model.linear.double()(x.double())
        model.linear.float()
        assert torch.allclose(model(x).double(), expected, rtol=1e-5, atol=1e-5)
        model.linear.bias = None
        assert model(x).shape == (2, m, n)


def test_a_changed_weight_is_packed_again(example: ModuleType) -> None:
    model, x = example.ModelNew(8, 20), torch.randn(3, 8)
    with torch.no_grad():
        model(x)
        kept = model.panels
        assert torch.allclose(model(x), model.linear(x), atol=1e-6) and model.panels is kept
        model.linear.weight.mul_(2)
        assert torch.allclose(model(x), model.linear(x), atol=1e-6)
        model.linear.weight = torch.nn.Parameter(torch.randn(20, 8))
        assert torch.allclose(model(x), model.linear(x), atol=1e-6)
        model.linear.weight.data = torch.randn(20, 8)
        assert torch.allclose(model(x), model.linear(x), atol=1e-6)
        other = copy.deepcopy(model)
        other.linear.weight.add_(1)
        assert torch.allclose(other(x), other.linear(x), atol=1e-6)
        assert torch.allclose(model(x), model.linear(x), atol=1e-6)


def test_it_shows_how_tunables_are_declared() -> None:
    for source in (exemplar("matmul"), shortened(exemplar("matmul"))):
        found = {one.name: one for one in tunables(source)}
        assert list(found) == ["ROWS", "DEPTH"]
        assert all(number % 6 == 0 for number in found["ROWS"].values)
