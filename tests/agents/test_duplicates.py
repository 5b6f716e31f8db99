"""Files that count as the same, by their text and by what is compiled of it."""

from __future__ import annotations

import pytest

from kernelwright.agents.duplicates import same_code, same_text
from kernelwright.schema import Attempt, Candidate
from tests.store import samples

PYTHON = '''
from torch import nn

SOURCE = r"""{native}"""


class ModelNew(nn.Module):
    def forward(self, x):
        return built(SOURCE)(x)
'''
NATIVE = '#include <cmath>\nvoid f(float* x) {\n  x[0] = 2; puts("// 1");\n}\n'
FILE = PYTHON.format(native=NATIVE)
CODE, OTHER_CODE = "c0de", "07he7"


def judged(source: str, object_code: str | None = None, backend: str = "cpp") -> Attempt:
    candidate = samples.candidate(source, backend=backend)
    found = samples.evaluation(candidate, 1.5).model_copy(update={"object_code": object_code})
    return samples.attempt(0, candidate, evaluation=found)


def asked(source: str) -> Candidate:
    return samples.candidate(source)


SAME_TEXTS = {
    "a comment in Python": FILE.replace("    def", "    # in one pass\n    def"),
    "a docstring": FILE.replace("    def", '    """In one pass."""\n\n    def'),
    "layout of Python": FILE.replace("built(SOURCE)(x)", "built( SOURCE )(\n            x)"),
    "a comment in C++": FILE.replace("* x) {", "* x) {  // two"),
    "a long comment in C++": FILE.replace("void f", "/* from here\n on */\nvoid f"),
    "layout of C++": FILE.replace("  x[0] = 2;", "\tx[0]   = 2;"),
    "empty lines in C++": FILE.replace("void f", "\n\nvoid f"),
}
OTHER_TEXTS = {
    "a number": FILE.replace("x[0] = 2", "x[0] = 3"),
    "a name": FILE.replace("(float* x)", "(float* in)").replace("x[0]", "in[0]"),
    "text in quotes that looks like a comment": FILE.replace('"// 1"', '"// 2"'),
    "a directive that shares a line": FILE.replace("<cmath>\n", "<cmath> "),
    "Python": FILE.replace("(x)\n", "(x) + 1\n"),
}


@pytest.mark.parametrize("source", SAME_TEXTS.values(), ids=SAME_TEXTS)
def test_what_changes_nothing_makes_no_other_file(source: str) -> None:
    assert source != FILE
    assert same_text(asked(source), [judged(FILE)]) is not None


@pytest.mark.parametrize("source", OTHER_TEXTS.values(), ids=OTHER_TEXTS)
def test_everything_else_does(source: str) -> None:
    assert source != FILE
    assert same_text(asked(source), [judged(FILE)]) is None


def test_only_a_verdict_on_the_same_kind_of_candidate_counts() -> None:
    assert same_text(asked(FILE), [judged(FILE, backend="torch")]) is None
    unjudged = samples.attempt(0, samples.candidate(FILE), error="the machine was busy")
    assert same_text(asked(FILE), [unjudged]) is None


def test_text_that_is_not_python_is_compared_as_it_is() -> None:
    assert same_text(asked("class ModelNew(:"), [judged("class ModelNew(:")]) is not None
    assert same_text(asked("class ModelNew(:"), [judged("class  ModelNew(:")]) is None


def test_the_same_machine_code_in_the_same_python_is_the_same() -> None:
    renamed = OTHER_TEXTS["a name"]
    assert same_code(asked(renamed), CODE, [judged(FILE, CODE)]) is not None
    assert same_code(asked(renamed), OTHER_CODE, [judged(FILE, CODE)]) is None
    assert same_code(asked(OTHER_TEXTS["Python"]), CODE, [judged(FILE, CODE)]) is None
    assert same_code(asked(renamed), None, [judged(FILE, None)]) is None


TRICKY = {
    "a continued comment": ("// note \\\n  x[0] = 1;", "// note\n  x[0] = 1;"),
    "blanks in quotes": ('puts("a  b");', 'puts("a b");'),
    "a raw string": ('s = R"(a // b)";', 's = R"(a // c)";'),
}


@pytest.mark.parametrize(("old", "new"), TRICKY.values(), ids=TRICKY)
def test_what_only_looks_like_layout_is_code(old: str, new: str) -> None:
    one, other = (FILE.replace("x[0] = 2;", f"x[0] = 2;\n  {text}") for text in (old, new))
    assert same_text(asked(other), [judged(one)]) is None


def test_pieces_of_a_formatted_string_are_left_alone() -> None:
    one = 'A = 1\nSOURCE = f"#include <a>\\nint x = 1; // {A}"\n'
    assert same_text(asked(one.replace("// ", "")), [judged(one)]) is None


def test_machine_code_says_nothing_where_there_are_several_sources() -> None:
    two = FILE + "OTHER = '#include <a>'\n"
    renamed = two.replace("(float* x)", "(float* in)").replace("x[0]", "in[0]")
    assert same_code(asked(renamed), CODE, [judged(two, CODE)]) is None
