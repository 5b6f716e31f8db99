"""Resources of processes that are gone are told by their names, and removed at the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.sandbox.resource_names import NAME, is_left, new_name


def test_names_are_new_and_tell_their_process() -> None:
    names = {new_name() for _ in range(100)}
    assert len(names) == 100
    assert not any(map(is_left, names))
    match = NAME.fullmatch(new_name())
    assert match is not None and int(match["pid"]) == os.getpid()


def test_names_of_the_dead_and_of_others() -> None:
    script = "from kernelwright.sandbox.resource_names import new_name; print(new_name())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert is_left(done.stdout.strip())
    boot, pid, start = NAME.fullmatch(new_name())["owner"].split("-")  # type: ignore[index]
    assert is_left(f"kernelwright-{boot}-{pid}-{int(start) - 1}-00000000")  # the same number again
    assert is_left(f"kernelwright-00000000-{pid}-{start}-00000000")  # before this boot
    for strange in ("kernelwright-", "kernelwright-cache", "x", f"kernelwright-{pid}", ""):
        assert not is_left(strange)


def test_the_next_start_removes_what_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (left := "kernelwright-00000000-1-2-00000000", mine := new_name(), "other"):
        (tmp_path / name / "sub").mkdir(parents=True)
    ProcessSandbox().close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, "other"])
    assert left not in os.listdir(tmp_path)
