"""`kernelwright optimize path.py:Class`: what is said before anything runs."""

from __future__ import annotations

import pytest

from tests.cli.kit import TASK, Shell
from tests.tasks.export.test_files import HELPERS, INPUTS, MODULE


def test_a_folder_is_for_bench(shell: Shell) -> None:
    shell.write("suite/task.py", TASK)
    done = shell.run("optimize", "suite")
    assert done.code == 2 and "kernelwright bench suite" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine.py",), ["'helpers' (line 4)", "kernelwright optimize mine.py:Model"]),
        (("mine.py:Modle",), ["defines no Modle", "did you mean 'Model'"]),
        (("mine.py:Model", "--inputs", "none.pt"), ["cannot read inputs 'none.pt'"]),
        (("mine.py:Model", "--inputs", "helpers.py"), ["defines no get_inputs()", "get_kwargs()"]),
        (("mine.py:Model", "--set", "ROWS=4"), ["this is a class"]),
        (("helpers.py", "--inputs", "inputs.py"), ["--inputs is for a class"]),
        (("hooked.py:Model",), ["forward hooks", "handle.remove()"]),
    ],
)
def test_bad_classes(shell: Shell, arguments: tuple[str, ...], words: list[str]) -> None:
    shell.write("helpers.py", HELPERS)
    shell.write("mine.py", MODULE)
    shell.write("inputs.py", INPUTS)
    hook = "        self.linear.register_forward_hook(lambda *_: None)\n"
    shell.write("hooked.py", MODULE.replace("\n    def forward", f"{hook}\n    def forward"))
    done = shell.run("optimize", *arguments)
    assert (done.code, done.out) == (2, ""), done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err and not list(shell.folder.glob("runs/*"))
