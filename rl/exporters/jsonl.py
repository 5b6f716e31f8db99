"""Export of stored runs to a JSONL file that a trainer loads as it is.

`sft` and `preference` hold only what was proven at level strict; `attempts` holds everything that
was tried, with its reward.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.rl.datasets.histories import TaskHistory, histories
from kernelwright.rl.datasets.rows import Row, attempt_rows, grpo_rows, preference_rows, sft_rows
from kernelwright.rl.rewards import RewardFunction, get_reward
from kernelwright.store.files import write_atomically
from kernelwright.store.store import Store

Format = Literal["sft", "grpo", "preference", "attempts"]

_ROWS: dict[Format, Callable[[TaskHistory, RewardFunction], Iterator[Row]]] = {
    "sft": sft_rows,
    "grpo": grpo_rows,
    "preference": preference_rows,
    "attempts": attempt_rows,
}
_WHY_NONE: dict[Format, str] = {
    "sft": "no candidate was proven faster at level strict, in its uses too, without anything "
    "suspicious",
    "grpo": "no task has an attempt that was evaluated",
    "preference": "no candidate that was proven faster at level strict, in its uses too, without "
    "anything suspicious stands beside a certainly worse one",
    "attempts": "the runs have no attempts",
}


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
    chosen = _format(format)
    function = get_reward(reward)
    lines: dict[str, None] = {}
    for history in histories(store, run_ids):
        for row in _ROWS[chosen](history, function):
            lines[json.dumps(row, ensure_ascii=False, allow_nan=False)] = None
    if not lines:
        return Exported(0, None, f"nothing to export as {chosen}: {_WHY_NONE[chosen]}")
    write_atomically(out, "".join(f"{line}\n" for line in lines))
    return Exported(len(lines), out, f"{len(lines)} rows of {chosen} written to {out}")


def _format(name: str) -> Format:
    for known in _ROWS:
        if known == name:
            return known
    raise UsageError(f"unknown format {name!r}", did_you_mean(name, list(_ROWS)))
