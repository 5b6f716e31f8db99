"""Export of stored runs to a JSONL file that a trainer loads as it is.

`sft` and `preference` hold only what was proven at level strict; `attempts` holds everything that
was tried, with its reward.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.rl.datasets.formats import FORMATS
from kernelwright.rl.rewards import get_reward
from kernelwright.store.files import write_atomically
from kernelwright.store.store import Store


class Exported(NamedTuple):
    """The outcome of an export."""

    rows: int
    path: Path | None
    """None when there was nothing to write; then no file is made or changed."""
    message: str


def export(
    store: Store,
    run_ids: Sequence[str],
    format: str,
    out: Path,
    reward: str = "log_speedup_v1",
) -> Exported:
    """Write the rows of `format` to `out`; `reward` scores the rows of `attempts`.

    Raises:
        UsageError: a run, the format or the reward is unknown.
        PrerequisiteError: the file cannot be written.
    """
    chosen, function = FORMATS.get(format), get_reward(reward)
    lines: dict[str, None] = {}
    for run in [store.get_run(run_id) for run_id in run_ids]:
        for record in store.task_records(run):
            for row in chosen.rows(record, function):
                lines[json.dumps(row, ensure_ascii=False, allow_nan=False)] = None
    if not lines:
        return Exported(0, None, f"nothing to export as {format}: {chosen.why_none}")
    write_atomically(out, "".join(f"{line}\n" for line in lines))
    return Exported(len(lines), out, f"{len(lines)} rows of {format} written to {out}")
