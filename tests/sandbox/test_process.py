"""The `process` sandbox beyond what every sandbox must do, and the registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright.errors import InfrastructureError, UsageError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.linux_worker import LinuxWorker
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.sandbox.registry import SANDBOXES, open_sandbox
from tests.verifier.kit import gone, group_members


def spec(script: str) -> WorkerSpec:
    return WorkerSpec(argv=("-c", script, "{fd}"), env={}, memory_bytes=2**30, files={})


def test_names_of_sandboxes() -> None:
    strongest = open_sandbox("auto")
    assert strongest.info.kind in SANDBOXES
    strongest.close()
    with pytest.raises(UsageError, match="unknown sandbox 'proces'") as caught:
        open_sandbox("proces")
    assert "did you mean 'process'?" in (caught.value.hint or "")


def test_it_says_plainly_what_it_lacks() -> None:
    info = ProcessSandbox().info
    assert "network isolation" in info.lacks
    assert not set(info.holds) & set(info.lacks)


def test_scripts_of_this_interpreter_are_found() -> None:
    sandbox = ProcessSandbox()
    worker = sandbox.start(spec("import os; print(os.environ['PATH'])"))
    assert worker.exit_status(20) == 0
    assert worker.stderr().split(":")[0] == str(Path(sys.executable).parent)
    sandbox.close()


def test_a_worker_cannot_make_the_host_wait_or_read_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    script = f"""
import os
for name in os.listdir('.'):
    print(name, flush=True)
os.mkfifo('stderr.txt') if not os.path.exists('stderr.txt') else None
os.symlink({str(secret)!r}, 'stdout.txt')
"""
    sandbox = ProcessSandbox()
    worker = sandbox.start(spec(script))
    assert worker.exit_status(20) == 0
    assert worker.stderr() == "tmp\n"
    sandbox.close()


def test_limits_on_files_and_cores() -> None:
    script = """
import resource, socket, sys
socket.socket(fileno=int(sys.argv[1])).recv(1)
print(resource.getrlimit(resource.RLIMIT_CORE)[0] == 0)
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0] < 2**33)
print(resource.getrlimit(resource.RLIMIT_DATA) == (2**30, 2**30))
"""
    sandbox = ProcessSandbox()
    worker = sandbox.start(spec(script))
    worker.channel.sendall(b"go")
    assert worker.exit_status(20) == 0
    assert worker.stderr() == "True\nTrue\nTrue\n"
    sandbox.close()


def test_no_room_for_a_worker_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sandbox = ProcessSandbox()
    with pytest.raises(InfrastructureError, match="cannot start a worker"):
        sandbox.start(spec("").model_copy(update={"files": {"a": str(tmp_path / "missing")}}))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(InfrastructureError, match="cannot start a worker"):
        sandbox.start(spec(""))
    sandbox.close()


HOST = """
import os, sys, time
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import Machine, await_start, start_worker
from kernelwright.schema import Limits
sandbox = ProcessSandbox()  # kept: a worker does not outlive its sandbox
module = start_worker(Machine(sandbox, 1, "cpu"), Limits())
await_start(module)
path = module.write("hang.py", "while True: pass")
print(module.process.exit_status(0) is None, module.process.pid, flush=True)
Instance.load(module, MODULE, "key", path, "ModelNew", None)
"""


def test_a_killed_host_leaves_no_worker_even_in_an_endless_loop(tmp_path: Path) -> None:
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    host = subprocess.Popen(
        [sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert host.stdout is not None
    running, group = host.stdout.readline().split()
    assert running == "True"
    assert group_members(int(group))
    host.kill()
    host.wait()
    assert gone(int(group))


def test_a_dying_worker_is_not_taken_for_what_another_one_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check it, since else it is reaped there, and its own `kill` finds no child to wait for."""
    file = tmp_path / "sleeper.py"
    file.write_text("import time\ntime.sleep(60)\n")
    warm = WorkerSpec(argv=(str(file),), env={}, memory_bytes=2**30, files={}, warm=True)
    sandbox = ProcessSandbox()
    one, other = sandbox.start(warm), sandbox.start(warm)
    assert isinstance(other, LinuxWorker)
    usual, ended, seen = other._child.signal, other._child.has_ended, list[int]()

    def looked(limit_s: float) -> bool:
        seen.extend(one.escaped())  # the other one is still there, and about to go
        usual(signal.SIGKILL)
        return ended(limit_s)

    monkeypatch.setattr(other._child, "signal", lambda number: None)
    monkeypatch.setattr(other._child, "has_ended", looked)
    other.kill()
    assert other.pid not in seen
    sandbox.close()
