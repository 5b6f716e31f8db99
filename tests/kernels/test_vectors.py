"""The vector helpers of the C++ kernels, eight and sixteen floats wide, beside float64."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.kernels.library import text_of

WIDTHS = {"v8f": "v8f", "widest": "vf"}
FUNCTIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float]] = {
    "exp": (torch.exp, 1.0),
    "erf": (torch.erf, 2.0),
    "tanh": (torch.tanh, 4.0),
    "absolute": (torch.abs, 0.0),
}
EACH = """
template <class V, class F>
INLINE void each(const float* x, float* y, int64_t n, F f) {
  constexpr int64_t width = sizeof(V) / sizeof(float);
  int64_t i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load_as<V>(x + i)));
  if (i < n) store_first(y + i, f(load_first_as<V>(x + i, n - i)), n - i);
}
"""
ONE = """
extern "C" void {name}_{width}(const float* x, float* y, int64_t n) {{
  each<{vector}>(x, y, n, [](auto v) {{ return {name}(v); }});
}}
"""
REDUCED = """
extern "C" void reduced_{width}(const float* x, float* y, int64_t n) {{
  constexpr int64_t width = sizeof({vector}) / sizeof(float);
  {vector} total = splat_as<{vector}>(0), best = splat_as<{vector}>(-INF), least = -best;
  for (int64_t i = 0; i < n; i += width) {{
    const int64_t rest = n - i;
    const {vector} v = rest >= width ? load_as<{vector}>(x + i) : load_first_as<{vector}>(x + i, rest);
    total += v;
    best = larger(best, rest >= width ? v : load_first_as<{vector}>(x + i, rest, -INF));
    least = smaller(least, rest >= width ? v : load_first_as<{vector}>(x + i, rest, INF));
  }}
  y[0] = sum(total), y[1] = maximum(best), y[2] = -maximum(-least), y[3] = width;
}}
"""  # noqa: E501


@pytest.fixture(scope="module", params=["as the machine is", "without AVX-512"])
def functions(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """The helpers as functions of pointers and a size, by name and width."""
    folder: Path = tmp_path_factory.mktemp("built")
    loader: dict[str, Any] = {}
    exec(text_of("cpp/loader.py"), loader)
    if request.param == "without AVX-512":
        if platform.machine() != "x86_64":
            pytest.skip("its vectors are x86's")
        loader["FLAGS"].append("-mno-avx512f")
    parts = [text_of("cpp/common.h"), text_of("cpp/pointwise.h"), EACH]
    names = []
    for width, vector in WIDTHS.items():
        parts.append(REDUCED.format(width=width, vector=vector))
        names.append(f"reduced_{width}")
        for name in FUNCTIONS:
            parts.append(ONE.format(name=name, width=width, vector=vector))
            names.append(f"{name}_{width}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
        first = loader["compile_cpp"]("\n".join(parts), names[0], "ppl")
    library = loader["ctypes"].CDLL(str(next(folder.glob("*.so"))))
    found = {name: library[name] for name in names}
    for function in found.values():
        function.argtypes = first.argtypes
    return found


def called(function: Any, x: torch.Tensor, size: int) -> torch.Tensor:
    """Return the first `size` results; what lies behind them must be left alone."""
    y = torch.full((size + 16,), 77.0)
    function(x.data_ptr(), y.data_ptr(), len(x))
    assert torch.equal(y[size:], torch.full((16,), 77.0))
    return y[:size]


def ulps(found: torch.Tensor, exact: torch.Tensor) -> float:
    """Return the largest error in units of float32's last place."""
    spacing = torch.exp2(torch.floor(torch.log2(exact.abs().clamp(min=2.0**-126))) - 23)
    return float(((found.double() - exact).abs() / spacing).max())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_as_exact_as_they_say(
    functions: dict[str, Any], name: str, width: str
) -> None:
    exact, most = FUNCTIONS[name]
    near, far = torch.linspace(-9, 9, 50_001), torch.linspace(-87, 88, 50_002)
    x = torch.cat([near, far, torch.logspace(-30, 0, 1001), torch.zeros(1)])
    assert len(x) % 16 and len(x) % 8
    assert ulps(called(functions[f"{name}_{width}"], x, len(x)), exact(x.double())) <= most


@pytest.mark.parametrize("width", WIDTHS)
def test_infinities_and_nan_go_through(functions: dict[str, Any], width: str) -> None:
    x = torch.tensor([math.inf, -math.inf, math.nan])
    for name, (exact, _) in FUNCTIONS.items():
        found = called(functions[f"{name}_{width}"], x, 3)
        assert torch.equal(found.nan_to_num(9.0), exact(x).nan_to_num(9.0)), name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [1, 7, 8, 15, 16, 17, 1000])
def test_reductions_take_all_of_a_vector_and_no_more(
    functions: dict[str, Any], width: str, size: int
) -> None:
    x = torch.randn(size + 16, generator=torch.Generator().manual_seed(size))
    x[size:] = math.nan
    found = called(functions[f"reduced_{width}"], x[:size].contiguous(), 4)
    own = x[:size]
    assert abs(float(found[0]) - float(own.double().sum())) < 1e-4
    assert found[1] == own.max() and found[2] == own.min()
    assert found[3] == 8 or width == "widest"
