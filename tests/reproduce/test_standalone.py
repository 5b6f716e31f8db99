"""One module with the modules that it imports, as a program that stands alone."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.reproduce.standalone import standalone

MAIN = '\n\nif __name__ == "__main__":\n    print(run())\n'
Writer = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Return a writer of modules of ours."""
    package = importlib.import_module("kernelwright")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])

    def written(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    return written


def test_parts_are_in_the_text_once_and_the_program_runs(
    write: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    write("part_a", '"""A part."""\n\nfrom __future__ import annotations\n\nONE = 1\n')
    needs = "import math\n\nfrom kernelwright.part_a import ONE\n\nKind = int\n"
    write("part_b", f"{needs}\n\ndef two() -> float:\n    return ONE + math.sqrt(1)\n")
    head = '"""Main."""\n\nfrom __future__ import annotations\n\n'
    imports = (
        "from kernelwright.part_a import ONE\nfrom kernelwright.part_b import two\n\nKind = int\n"
    )
    write("main_ab", f"{head}{imports}\n\ndef run() -> float:\n    return ONE + two()\n{MAIN}")
    text = standalone("kernelwright.main_ab")
    assert "kernelwright" not in text and text.count("ONE = 1") == 1
    exec(compile(text, "main", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "3.0\n"
    assert ast.get_docstring(ast.parse(text)) == "Main."


def test_a_name_that_two_parts_define_is_refused(write: Writer) -> None:
    write("part_c", "SAME = 1\n")
    write("main_c", f"from kernelwright.part_c import SAME\n\nSAME = 2\n{MAIN}")
    with pytest.raises(ValueError, match="'SAME' is defined by two"):
        standalone("kernelwright.main_c")


@pytest.mark.parametrize(
    "line", ["import kernelwright.schema", "from kernelwright.schema import Task as Job"]
)
def test_imports_that_would_lose_a_name_are_refused(write: Writer, line: str) -> None:
    write("main_d", f"{line}\n{MAIN}")
    with pytest.raises(ValueError, match="cannot be made a part"):
        standalone("kernelwright.main_d")


def test_reproduce_imports_the_standard_library_and_torch_alone() -> None:
    nodes = list(ast.walk(ast.parse(standalone("kernelwright.reproduce.script"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    names = {name.partition(".")[0] for name in plain | froms}
    assert names - {"torch"} <= sys.stdlib_module_names
