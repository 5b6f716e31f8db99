"""`kernelwright cache`: what lies there, and emptying it."""

from __future__ import annotations

import json

from tests.cli.kit import Shell


def test_the_cache_is_shown_and_emptied(shell: Shell) -> None:
    kept = shell.folder / "cache" / "kernelwright" / "builds" / "abc"
    kept.mkdir(parents=True)
    (kept / "kernel.so").write_bytes(b"x" * 1_500_000)
    shown = shell.run("cache", "show").out.splitlines()
    assert shown[0] == str(shell.folder / "cache" / "kernelwright")
    assert shown[1:] == ["headers      0  0.0 MB, at most 1.00 GB", "builds       1  1.5 MB"]
    found = json.loads(shell.run("cache", "show", "--json").out)
    assert found["builds"] == {"count": 1, "bytes": 1_500_000}
    assert found["most_header_bytes"] == 10**9
    careful = shell.run("cache", "clean")
    assert careful.code == 0 and kept.exists()
    assert careful.out.splitlines() == [
        "removed 0 items, 0.0 MB",
        "1 items, 1.5 MB, were used within the last hour; --all removes them as well",
    ]
    assert shell.run("cache", "clean", "--all").out == "removed 1 items, 1.5 MB\n"
    assert not kept.exists()
