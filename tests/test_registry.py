"""Dotted paths: the objects that they name, and hints for modules that have moved."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from kernelwright.errors import UsageError
from kernelwright.moved import MOVED
from kernelwright.registry import load


@pytest.mark.parametrize("old", MOVED)
def test_a_moved_module_is_where_the_table_says(old: str) -> None:
    assert find_spec(f"kernelwright.{MOVED[old]}") is not None


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("kernelwright.agents.proposers:proposer_factory", "kernelwright.agents.proposer_factory"),
        ("kernelwright.verifier.reference:Reference", "kernelwright.verifier.reference.reference"),
    ],
)
def test_a_path_to_a_moved_module_gets_the_new_name(path: str, now: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(path)
    assert raised.value.hint == f"it has moved: write {now}"


@pytest.mark.parametrize("old", MOVED)
def test_every_old_name_gets_a_hint(old: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(f"kernelwright.{old}:no_such_name")
    assert raised.value.hint == f"it has moved: write kernelwright.{MOVED[old]}"


def test_a_users_module_that_imports_a_moved_one_gets_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_search.py").write_text("from kernelwright.prompts.moves import moves\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError) as raised:
        load("own_search:Search")
    assert raised.value.hint == "it has moved: write kernelwright.prompts.hints"
