"""The formats of datasets: the rows of each, and why there may be none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kernelwright.registry import Kind, Registry
from kernelwright.rl.datasets.rows import Row, attempt_rows, grpo_rows, preference_rows, sft_rows
from kernelwright.rl.rewards import RewardFunction
from kernelwright.store.records import TaskRecord


class DatasetFormat(NamedTuple):
    """A format of datasets."""

    rows: Callable[[TaskRecord, RewardFunction], Iterator[Row]]
    """Makes the rows of one task of a run."""
    why_none: str
    """Words for the case that there are none."""


SFT = DatasetFormat(
    sft_rows,
    "no candidate was proven faster at level strict, in its uses too, without anything suspicious",
)
GRPO = DatasetFormat(grpo_rows, "no task has an attempt that was evaluated")
PREFERENCE = DatasetFormat(
    preference_rows,
    "no candidate that was proven faster at level strict, in its uses too, without anything "
    "suspicious stands beside a certainly worse one",
)
ATTEMPTS = DatasetFormat(attempt_rows, "the runs have no attempts")
FORMATS: Registry[DatasetFormat] = Registry(
    "format",
    Kind("a format of datasets", "rows"),
    {
        "sft": "kernelwright.rl.datasets.formats:SFT",
        "grpo": "kernelwright.rl.datasets.formats:GRPO",
        "preference": "kernelwright.rl.datasets.formats:PREFERENCE",
        "attempts": "kernelwright.rl.datasets.formats:ATTEMPTS",
    },
    "kernelwright.formats",
)
