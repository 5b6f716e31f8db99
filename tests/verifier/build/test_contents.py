"""Contents of the build cache's folder: shown, and removed where no run can be using them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kernelwright.verifier.build.contents import KEPT_S, clean, contents


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache with an old header and an old build, and a build that was just used."""
    header = tmp_path / "pch" / "old"
    (header / "torch").mkdir(parents=True)
    (header / "torch" / "extension.h.gch").write_bytes(b"1234567")
    (header / "lock").touch()
    for name in ("old", "new"):
        (tmp_path / "builds" / name).mkdir(parents=True)
        (tmp_path / "builds" / name / "kernel.so").write_bytes(b"123")
        (tmp_path / "builds" / name / "link.so").symlink_to("/nowhere")
    for old in (header / "lock", tmp_path / "builds" / "old"):
        os.utime(old, (time.time() - 2 * KEPT_S,) * 2)
    return tmp_path


def test_sizes_are_counted_without_following_links(cache: Path) -> None:
    found = contents(cache)
    assert [item.bytes for item in found["headers"]] == [7]
    assert [item.bytes for item in found["builds"]] == [3, 3]
    assert contents(cache / "none") == {"headers": [], "builds": []}


@pytest.mark.parametrize("everything", [False, True])
def test_what_a_run_may_be_using_stays(cache: Path, everything: bool) -> None:
    removed, left = clean(cache, everything)
    assert sum(item.bytes for item in removed) == (13 if everything else 10)
    assert [item.folder.name for item in left] == ([] if everything else ["new"])
    assert sorted(path.name for path in cache.glob("*/*")) == ([] if everything else ["new"])
