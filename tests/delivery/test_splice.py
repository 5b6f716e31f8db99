"""Tests of the guarded file's text."""

from __future__ import annotations

import ast
import re

import pytest

from kernelwright.delivery.guarded import fast_path, guard, own_part
from kernelwright.delivery.splice import PRIVATE, RESERVED, NotDeliverableError, splice
from kernelwright.verifier.integrity.compiled import compiled_reference
from kernelwright.verifier.integrity.static.scan import static_flags
from tests.delivery.kit import OWN_CONSTRUCTOR, REFERENCE, SAME_CONSTRUCTOR, SCOPE, guarded

COMPILED = REFERENCE.replace("class Model", "class ModelNew") + (
    "\n\nModelNew.forward = torch.compile(ModelNew.forward{})\n"
)
CHEAT = SAME_CONSTRUCTOR.replace("import torch\n", "import torch\nimport subprocess\n", 1).replace(
    "        CALLS.append(1)\n", "        subprocess.Popen(['true'])\n"
)


def test_what_both_have_stands_there_once() -> None:
    text = guarded(SAME_CONSTRUCTOR)
    assert text.count("class Block(nn.Module):") == text.count("def norm(") == 1
    assert "class FastModel(Model):" in text and text.count("get_inputs") == 0
    ast.parse(text)


def test_the_scope_is_said_in_words() -> None:
    text = guarded()
    for line in (
        "x: float32[n, 8]",
        "n: from 1 to 16",
        "scale: a float from -0.5 to 4.0",
        "constructor: (8)",
    ):
        assert text.count(line) == 2, "in the file's docstring and in the class's"


def test_an_honest_fast_path_gets_no_flag() -> None:
    for candidate in (SAME_CONSTRUCTOR, OWN_CONSTRUCTOR):
        own = own_part(guarded(candidate), REFERENCE)
        mine = {flag.rule for flag in static_flags(candidate, "cpp")}
        assert {flag.rule for flag in static_flags(own, "cpp")} <= mine


def test_a_cheat_is_seen_through_the_guard() -> None:
    text = guarded(CHEAT)
    wanted = text.splitlines()[: text.partition("subprocess.Popen")[0].count("\n") + 1]
    flags = static_flags(own_part(text, REFERENCE), "cpp")
    found = next(flag for flag in flags if flag.rule == "process-or-thread")
    assert f"line {len(wanted)}:" in found.evidence


def test_only_the_frozen_guard_is_left_out() -> None:
    other = guarded().replace("class Guarded:", "class Guarded:\n    exec('1')")
    assert own_part(other, REFERENCE) == other
    assert own_part(SAME_CONSTRUCTOR, REFERENCE) == SAME_CONSTRUCTOR


@pytest.mark.parametrize(
    ("options", "wanted"), [("", "baseline"), (", mode='max-autotune'", "options")]
)
def test_torch_compile_is_called_that_behind_a_guard(options: str, wanted: str) -> None:
    assert compiled_reference(guarded(COMPILED.format(options)), REFERENCE) == wanted
    assert compiled_reference(guarded(), REFERENCE) is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("def norm(", "def guard_same(", "needs the name 'guard_same'"),
        ("self.act = act", "self.act = act\n        self.fallbacks = 0", "'fallbacks'"),
        ("import torch\n", "import torch\nfrom os import path as math\n", "'math'"),
    ],
)
def test_names_that_the_guard_needs(old: str, new: str, why: str) -> None:
    with pytest.raises(NotDeliverableError, match=why):
        splice(REFERENCE.replace(old, new), SAME_CONSTRUCTOR, SCOPE, "")


@pytest.mark.parametrize("line", ["import torch, math", "import collections.abc, inspect"])
def test_imports_of_what_the_guard_imports_too_are_no_clash(line: str) -> None:
    text = splice(f"{line}\n{REFERENCE}", SAME_CONSTRUCTOR, SCOPE, "")
    assert text.index(line) < text.index("class Guarded")


def test_future_imports_stand_first() -> None:
    future = "from __future__ import annotations\n"
    text = splice(REFERENCE.replace("import torch", future + "import torch", 1),
                  SAME_CONSTRUCTOR, SCOPE, "A title.")  # fmt: skip
    compile(text, "guarded", "exec")
    assert text.count("__future__") == 1 and guard() in text


def test_all_that_the_guard_gives_a_module_has_a_reserved_name() -> None:
    tree = ast.parse("try:\n    pass\n" + guard())
    (own,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Guarded")
    names = {n.name for n in own.body if isinstance(n, ast.FunctionDef)}
    names |= {t.id for n in own.body if isinstance(n, ast.Assign) for t in n.targets}  # type: ignore[attr-defined]
    for pattern in (r'vars\(self\)\["(\w+)"\]', r"Guarded\.(\w+) = ", r"self\.(_\w+)"):
        names |= set(re.findall(pattern, guard()))
    of_torch = {"forward", "_apply"}
    assert {n for n in names - of_torch if not n.startswith(("__", PRIVATE))} == RESERVED


@pytest.mark.parametrize("name", [*sorted(RESERVED), "_guard_prepare"])
def test_a_method_that_the_guard_would_hide_is_refused(name: str) -> None:
    method = f"class Model(nn.Module):\n    def {name}(self, x):\n        return x\n\n"
    with pytest.raises(NotDeliverableError, match=f"the name '{name}'"):
        splice(REFERENCE.replace("class Model(nn.Module):\n", method), SAME_CONSTRUCTOR, SCOPE, "")


DEEP = "TOTAL = " + " + ".join(["1"] * 1200) + "\n"


def test_a_text_too_deep_to_read_is_not_delivered_and_refuses_nothing_by_itself() -> None:
    with pytest.raises(NotDeliverableError, match="can't be put beside"):
        splice(REFERENCE, SAME_CONSTRUCTOR + DEEP, SCOPE, "")
    assert compiled_reference(COMPILED.format("") + DEEP, REFERENCE) is None
    text = guarded() + DEEP
    assert own_part(text, REFERENCE) == text


def test_a_fast_path_is_that_of_the_guard() -> None:
    quoted = f"import torch\nTEXT = '''\n{guard()}'''\ntorch.compile(print)\n"
    assert fast_path(quoted) is None and compiled_reference(quoted, REFERENCE) is None
    other = "try:\n    import numpy\nexcept ImportError:\n    pass\nelse:\n    FOUND = 1\n"
    text = splice(other + REFERENCE, SAME_CONSTRUCTOR, SCOPE, "")
    path = fast_path(text)
    assert path is not None and "class FastModel" in "\n".join(map(ast.unparse, path))
    assert fast_path(other) is None
