"""The uses that `reproduce.py` tries, in a child of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernelwright.reproduce.using import RACY, SLOW
from kernelwright.verifier.inside.uses import FUNCTIONS
from tests.reproduce.test_script import RIGHT, Ran, Run, rows, run

__all__ = ["run"]
FAST = ("--json", "--seconds", "0", "--comparisons", "1")
# Each line is another misuse; the kept weight, the number, the crash and the error don't meet.
MISUSED = RIGHT.replace(
    "self.calls += 1",
    """self.calls += 1
        assert x.is_contiguous(), "dense inputs only"
        x.shape[0] == 1 and ctypes.string_at(8)
        self.kept = getattr(self, "kept", self.weight.clone())""",
).replace("x * self.weight * scale", "x * self.kept * 0.5")


def test_each_misuse_has_its_row(run: Run) -> None:
    ran = run(f"import ctypes\n{MISUSED}", *FAST)
    found = uses(ran)
    rows_of = [
        ("other-numbers", "WRONG", "scale="),
        ("weights-loaded-later", "WRONG", "off by"),
        ("other-batch-sizes", "crashes", "batch 1: the process ended with -11"),
        ("strided-inputs", "raises", "dense inputs only"),
    ]
    for use, outcome, words in rows_of:
        assert found[use]["outcome"] == outcome and words in found[use]["detail"]
        assert found[use]["is_fault"] == (outcome in ("WRONG", "crashes"))
    assert ran.code == 1, ran.err
    crashed = {name for name, row in found.items() if row["outcome"] == "crashes"}
    assert crashed == {"other-batch-sizes"}, "the uses after a crash are tried as well"
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
