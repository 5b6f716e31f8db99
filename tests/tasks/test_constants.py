"""`--set NAME=VALUE`: what is replaced, what follows from it, and what is refused."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.errors import UsageError
from kernelwright.schema import Size
from kernelwright.tasks.constants import constants, parse_setting, replace_constants
from kernelwright.tasks.loader import effective_source, load_task
from tests.tasks.test_loader import PLAIN

SOURCE = """
batch, (rows, cols) = 4, (1 << 10, -3)  # sizes
total = batch * rows
scale: float = 0.5
name = "größe"; épais = 2; last = (
    7 +
    1
)
width = height = 8  # square
class Model: pass
"""


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "constants", "exec"), names)
    return names


def changed(**values: Size) -> dict[str, Any]:
    before, after = executed(SOURCE), executed(replace_constants(SOURCE, values))
    names = set(before) - {"__builtins__", "Model"}
    return {name: after[name] for name in names if after[name] != before[name]}


def test_derived_constants_follow_and_others_stay() -> None:
    assert changed(batch=2) == {"batch": 2, "total": 2048}
    assert changed(rows=8, batch=-1) == {"rows": 8, "batch": -1, "total": -8}
    assert changed(cols=5) == {"cols": 5}
    assert changed(scale=-2.5) == {"scale": -2.5}
    assert changed(last=0, épais=3) == {"last": 0, "épais": 3}
    assert changed(name="größer 'x'\n") == {"name": "größer 'x'\n"}
    assert changed(scale=float("inf")) == {"scale": float("inf")}
    assert changed(total=(2, 3)) == {"total": (2, 3)}
    assert changed() == {}


def test_one_of_two_names_with_one_value() -> None:
    assert changed(width=4) == {"width": 4}
    assert changed(height=4) == {"height": 4}
    assert changed(height=4, width=2) == {"height": 4, "width": 2}


def test_names_and_literals_are_listed_in_order() -> None:
    found = {constant.name: constant.literal for constant in constants(ast.parse(SOURCE))}
    assert list(found)[:5] == ["batch", "rows", "cols", "total", "scale"]
    assert found["cols"] == -3
    assert found["total"] is None
    assert found["name"] == "größe"


def test_an_unknown_name_is_refused_with_the_closest_one() -> None:
    with pytest.raises(UsageError, match="no module-level constant 'Cols'") as caught:
        replace_constants(SOURCE, {"Cols": 1})
    assert "did you mean 'cols'?" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="'Model'"):
        replace_constants(SOURCE, {"Model": 1})
    with pytest.raises(UsageError) as caught:
        replace_constants("pass", {"N": 1})
    assert "none at all" in (caught.value.hint or "")


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.text())
def test_any_value_arrives_as_it_is(value: Size) -> None:
    text = replace_constants("A, B = 1, 2\nC = (B, B)\n", {"B": value})
    assert executed(text)["C"] == (value, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("N=3", 3), ("N = -1_000", -1000), ("N=1e3", 1000.0), ("N=True", True), ("N=abc", "abc"),
     ("N='3'", "3"), ("N=a=b", "a=b"), ("N={[]: 1}", "{[]: 1}"), ("N=(", "("),
     ("N=[1, 2]", (1, 2))],
)  # fmt: skip
def test_settings_are_python_literals(text: str, value: Size) -> None:
    name, found = parse_setting(text)
    assert (name, found, type(found)) == ("N", value, type(value))


@pytest.mark.parametrize(
    "text", ["N", "=3", "3=N", "N x=3", "N=None", "N={1: 2}", "N=[[1]]", "N=1j"]
)
def test_other_settings_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        parse_setting(text)


def test_settings_are_part_of_the_task(tmp_path: Path) -> None:
    path = tmp_path / "task.py"
    path.write_text(PLAIN)
    plain, small = load_task(str(path)), load_task(str(path), {"dim": 8})
    assert plain.hash != small.hash != load_task(str(path), {"dim": 9}).hash
    assert small.source == plain.source
    assert "dim = 8\n" in effective_source(small, small.workloads[0])
    with pytest.raises(UsageError, match="'Dim'"):
        load_task(str(path), {"Dim": 8})
