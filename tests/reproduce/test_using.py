"""The uses that `reproduce.py` tries, in a child of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kernelwright.reproduce.using import RACY, SLOW
from kernelwright.verifier.inside.uses import FUNCTIONS
from tests.reproduce.test_script import RIGHT, Ran, Run, rows, run

__all__ = ["run"]
NO_SCALE = RIGHT.replace("self.weight * scale", "self.weight * 0.5")
STALE = RIGHT.replace(
    "self.calls += 1", "self.kept = getattr(self, 'kept', self.weight.clone()); self.calls += 1"
).replace("x * self.weight", "x * self.kept")
CRASH = "import ctypes\n" + RIGHT.replace("self.calls += 1", "self.calls += 1\n        "
    "x.shape[0] == 1 and ctypes.string_at(8)")  # fmt: skip
STRICT = RIGHT.replace(
    "self.calls += 1", "self.calls += 1\n        assert x.is_contiguous(), 'dense inputs only'"
)
FAST = ("--json", "--seconds", "0", "--comparisons", "1")


@pytest.mark.parametrize(
    ("text", "use", "outcome", "words"),
    [
        (NO_SCALE, "other-numbers", "WRONG", "scale="),
        (STALE, "weights-loaded-later", "WRONG", "off by"),
        (CRASH, "other-batch-sizes", "crashes", "batch 1: the process ended with -11"),
        (STRICT, "strided-inputs", "raises", "dense inputs only"),
    ],
)
def test_each_misuse_has_its_row(run: Run, text: str, use: str, outcome: str, words: str) -> None:
    ran = run(text, *FAST)
    found = uses(ran)
    assert found[use]["outcome"] == outcome and words in found[use]["detail"]
    is_fault = outcome in ("WRONG", "crashes")
    assert found[use]["is_fault"] == is_fault and ran.code == int(is_fault), ran.err
    others = {name for name, row in found.items() if row["outcome"] == "crashes"}
    assert others <= {use}, "the uses after a crash are tried as well"
    assert "pickle" in found and "deepcopy" in found


def test_a_right_file_is_used_in_every_way(run: Run) -> None:
    ran = run(RIGHT, *FAST)
    assert ran.code == 0, ran.out
    assert {row["outcome"] for row in uses(ran).values()} <= {"same", "raises"}


def test_the_uses_that_are_named_exist() -> None:
    assert {*RACY, *SLOW} <= set(FUNCTIONS)


def uses(ran: Ran) -> dict[str, dict[str, Any]]:
    """Return the rows of uses by their names."""
    return dict(_named(ran))


def _named(ran: Ran) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, row in rows(ran).items():
        if name.startswith("use: "):
            yield name.removeprefix("use: "), row
