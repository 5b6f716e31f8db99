"""Tests of a machine's measured speeds: made once, kept, the same for every prompt."""

from __future__ import annotations

from pathlib import Path

from kernelwright.verifier.reference.speeds import Speeds, known_speeds, speeds_file
from tests.verifier import kit

TASK = """
    class Model(nn.Module):
        def forward(self, x):
            return x
"""


def test_speeds_are_measured_once_and_kept(tmp_path: Path) -> None:
    with kit.live_reference(kit.task(TASK)) as reference:
        found = known_speeds(reference, tmp_path)
        path = speeds_file(reference.machine, tmp_path)
        assert found.copies["memory"] == reference.bandwidth > 1e8
        assert all(speed > 1e8 for speed in (*found.copies.values(), *found.products.values()))
        changed = found.model_copy(update={"products": {"float32": 1e9}})
        path.write_text(changed.model_dump_json())
        assert known_speeds(reference, tmp_path) == changed
        path.write_text("{}")  # of another version, or damaged
        assert set(known_speeds(reference, tmp_path).products) == set(found.products)
        other = speeds_file(reference.machine._replace(threads=7), tmp_path)
        assert other != path


def test_speeds_in_words() -> None:
    speeds = Speeds(
        copies={"L2": 151.6e9, "memory": 11.2e9}, products={"float32": 140e9, "bfloat16": 1.2e12}
    )
    assert speeds.words == (
        "Measured copies, GB/s read and written: L2 152, memory 11",
        "Measured large matrix product, GFLOP/s: float32 140, bfloat16 1200",
    )
