"""The `bwrap` sandbox beyond what every sandbox must do: limits of the group, missing tools."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kernelwright.errors import InfrastructureError, PrerequisiteError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.bwrap import BwrapSandbox
from kernelwright.sandbox.cgroups import groups_of
from kernelwright.sandbox.escapes import descendants
from kernelwright.testing.sandbox import is_alive, until
from tests.sandbox.kit import opened
from tests.verifier.kit import gone

WAITS = "import time; time.sleep(600)"


def spec(script: str, **more: object) -> WorkerSpec:
    fields: dict[str, object] = {"env": {}, "memory_bytes": 2**30, "files": {}, **more}
    return WorkerSpec(argv=("-c", script, "{fd}"), **fields)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BwrapSandbox]:
    with opened("bwrap") as found:
        assert isinstance(found, BwrapSandbox)
        yield found


def holders() -> list[int]:
    """Return the ids of this process's bubblewrap processes."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            found += [pid] if Path(f"/proc/{pid}/comm").read_text() == "bwrap\n" else []
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_worker_is_in_groups_that_are_gone_with_it(sandbox: BwrapSandbox) -> None:
    worker = sandbox.start(spec(WAITS))
    if "limits on all processes of a worker together" in sandbox.info.lacks:
        pytest.skip("control groups can't be written here")
    groups = groups_of(worker.pid)
    assert groups
    assert all(worker.inside.rpartition("/")[2] == group.name for group in groups)
    worker.kill()
    assert not any(group.exists() for group in groups)


def test_nothing_holds_a_place_open_that_was_left(sandbox: BwrapSandbox) -> None:
    workers = [sandbox.start(spec(WAITS)) for _ in range(3)]
    assert len(holders()) >= 3
    for worker in workers:
        worker.kill()
    assert holders() == []


def test_a_place_that_is_gone_is_nobodys_fault(sandbox: BwrapSandbox) -> None:
    worker = sandbox.start(spec(WAITS))
    for pid in holders():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(InfrastructureError, match="removed from outside"):
        worker.exit_status(20)
    worker.kill()


def test_it_sees_only_what_it_is_shown(sandbox: BwrapSandbox, tmp_path: Path) -> None:
    for name in ("shown", "hidden"):
        (tmp_path / name).write_text(name)
    script = f"import os; print(sorted(os.listdir({str(tmp_path)!r})))"
    worker = sandbox.start(spec(script, readable=(str(tmp_path / "shown"),)))
    assert worker.exit_status(20) == 0
    assert worker.stderr() == "['shown']\n"
    worker.kill()


def test_without_bubblewrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="not installed"):
        BwrapSandbox()


def test_where_namespaces_are_forbidden(
    sandbox: BwrapSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(os, "defpath", f"{tmp_path}:{os.defpath}")
    assert shutil.which("bwrap")
    with pytest.raises(PrerequisiteError, match="No permissions to create new namespace"):
        BwrapSandbox()


HOST = """
import sys, time
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.bwrap import BwrapSandbox
script = "import os, time\\nif os.fork() == 0: os.setsid()\\ntime.sleep(600)"
sandbox = BwrapSandbox()  # kept: a worker does not outlive its sandbox
worker = sandbox.start(WorkerSpec(argv=("-c", script), env={}, memory_bytes=2**30, files={}))
print(worker.pid, worker._enclosure._holder.init, flush=True)
time.sleep(600)
"""


def test_a_killed_host_leaves_nothing(sandbox: BwrapSandbox) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    host = subprocess.Popen(
        [sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert host.stdout is not None
    worker, init = map(int, host.stdout.readline().split())
    assert is_alive(worker) and is_alive(init)
    host.kill()
    host.wait()
    assert gone(worker)
    with suppress(ChildProcessError):  # an orphan that became a child of this process
        os.waitpid(worker, 0)
    assert until(lambda: not is_alive(init))
