"""Contents of the build cache's folder: their sizes, and removing them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

HEADERS, BUILDS = "pch", "builds"
KEPT_S = 3600.0
"""Seconds since its last use in which an item may still be in use by a run."""


class Item(NamedTuple):
    """A build, or a precompiled header."""

    folder: Path
    bytes: int
    used: float
    """Last use, in seconds since the epoch."""


def contents(cache: Path) -> Mapping[str, list[Item]]:
    """Return the items of a cache: `headers` (precompiled ones of torch), and `builds`."""
    return {
        "headers": [_item(lock.parent, lock) for lock in sorted(cache.glob(f"{HEADERS}/*/lock"))],
        "builds": [_item(folder, folder) for folder in sorted(cache.glob(f"{BUILDS}/*"))],
    }


def clean(cache: Path, everything: bool = False) -> tuple[list[Item], list[Item]]:
    """Remove items; return those that were removed, and those that stay.

    Args:
        everything: also what was used within KEPT_S, by a run that is perhaps under way.
    """
    oldest = float("inf") if everything else time.time() - KEPT_S
    items = [item for part in contents(cache).values() for item in part]
    removed = [item for item in items if item.used < oldest]
    for item in removed:
        shutil.rmtree(item.folder, ignore_errors=True)
    return removed, [item for item in items if item.used >= oldest]


def _item(folder: Path, used: Path) -> Item:
    return Item(folder, sum(_sizes(folder)), used.lstat().st_mtime)


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.stat().st_size
