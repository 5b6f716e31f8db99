"""Tests of changes to Python text."""

from __future__ import annotations

import ast

import pytest

from kernelwright.delivery.edits import defined, indented, renamed, without

NAMES = {"softmax": "softmax_fast", "Block": "Block_fast"}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("def softmax(x): return softmax(x)", "def softmax_fast(x): return softmax_fast(x)"),
        ("class Block(Block.Base): pass", "class Block_fast(Block_fast.Base): pass"),
        ("from a import softmax", "from a import softmax as softmax_fast"),
        ("from a import b as softmax", "from a import b as softmax_fast"),
        ("y = lambda softmax: softmax(1)", "y = lambda softmax: softmax(1)"),
        ("def f(softmax): return softmax", "def f(softmax): return softmax"),
        ("def f(x=softmax): softmax = 1", "def f(x=softmax_fast): softmax = 1"),
        ("def f():\n    global softmax\n    softmax = 1",
         "def f():\n    global softmax_fast\n    softmax_fast = 1"),
        ("class A:\n    def softmax(self): return softmax(self.softmax)",
         "class A:\n    def softmax(self): return softmax_fast(self.softmax)"),
        ("class A:\n    softmax = y = 1\n", "class A:\n    softmax = y = 1\n"),
        ("class A:\n    class Block: pass", "class A:\n    class Block: pass"),
        ("é = 'softmax', softmax", "é = 'softmax', softmax_fast"),
    ],
)  # fmt: skip
def test_only_module_level_names_are_replaced(source: str, wanted: str) -> None:
    assert renamed(source, NAMES) == wanted


def test_lines_of_a_string_keep_their_place() -> None:
    source = 'CODE = r"""\nint f() {\n  return 1;\n}\n"""\n\ndef f(x):\n    return f"""{x}\nz"""\n'
    deeper = f"try:\n{indented(source)}finally:\n    pass\n"
    names: dict[str, object] = {}
    exec(compile(deeper, "deeper", "exec"), names)
    assert names["CODE"] == "\nint f() {\n  return 1;\n}\n"
    assert names["f"](3) == "3\nz"  # type: ignore[operator]


def test_a_statement_goes_with_its_decorators() -> None:
    source = "x = 1\n@first\n@second\ndef f():\n    pass\ny = 2\n"
    body = ast.parse(source).body
    assert without(source, [body[1]]).split() == "x = 1 y = 2".split()


def test_names_of_inner_scopes_are_not_defined() -> None:
    body = ast.parse("import a.b, c as d\nx = [i for i in y]\ndef f(): z = 1\n").body
    assert defined(body) == {"a", "d", "x", "f"}
