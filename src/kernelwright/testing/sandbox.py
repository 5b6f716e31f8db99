"""Conformance suite of sandboxes.

Subclass it in a test file, and give it the sandbox:

    class TestMine(SandboxConformance):
        @pytest.fixture(scope="class")
        @classmethod
        def sandbox(cls):
            opened = MySandbox()
            yield opened
            opened.close()

        @pytest.fixture
        def another(self):
            return MySandbox()

Workers here are small scripts, not the verifier's: a sandbox knows nothing of what it runs.
"""

from __future__ import annotations

import os
import pwd
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.sandbox.base import Sandbox, WorkerProcess, WorkerSpec

GIGABYTE = 2**30
PRELUDE = """
import os, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
def say(text): channel.sendall(text.encode() + b"\\n")
"""

ECHO = "while data := channel.recv(100): channel.sendall(data)"
FAMILY = """
if os.fork() == 0:
    if os.fork() == 0: say(f"ready {os.getpid()}")
    time.sleep(600)
time.sleep(600)
"""

READS = """
def attempt(do):
    try: return do()
    except OSError as error: return error.strerror
folder = os.environ["ABOVE"]
say(attempt(lambda: open(folder + "/shown/text").read()))
say(attempt(lambda: open(folder + "/file").read()))
say(repr(attempt(lambda: open(folder + "/hidden").read())))
say(attempt(lambda: open(folder + "/shown/new", "w").name))
"""


def start(sandbox: Sandbox, script: str, **more: object) -> WorkerProcess:
    """Start a script in a worker."""
    fields: dict[str, object] = {"env": {}, "memory_bytes": GIGABYTE, "files": {}, **more}
    return sandbox.start(WorkerSpec(argv=("-c", PRELUDE + script, "{fd}"), **fields))


def line(worker: WorkerProcess, timeout_s: float = 20.0) -> str:
    """Return the next line from the worker; empty when it closed its end."""
    worker.channel.settimeout(timeout_s)
    text = b""
    while not text.endswith(b"\n") and (byte := worker.channel.recv(1)):
        text += byte
    return text.decode().rstrip("\n")


def on_host(worker: WorkerProcess, pid: int) -> int:
    """Return the host's number of a process that the worker knows by another."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            place = (status.parent / "ns" / "pid").readlink()
            fields = dict(row.split(":", 1) for row in status.read_text().splitlines())
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        is_there = place == Path(f"/proc/{worker.pid}/ns/pid").readlink()
        if is_there and int(fields["NSpid"].split()[-1]) == pid:
            return int(status.parent.name)
    raise AssertionError(f"no process {pid}")


def is_alive(process: int) -> bool:
    """Return whether a process runs; zombies don't."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(happened: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Return whether it happens in time: the kernel takes a moment to end a process."""
    deadline = time.monotonic() + within_s
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happened()


class SandboxConformance:
    """The duties of a sandbox.

    Fixtures of the subclass: `sandbox`, and `another` of the same kind, which a test closes.
    """

    def test_it_says_what_it_holds(self, sandbox: Sandbox) -> None:
        assert sandbox.info.kind
        assert sandbox.info.holds

    def test_a_file_below_tmp_is_run_though_workers_have_a_tmp_of_their_own(
        self, sandbox: Sandbox
    ) -> None:
        with tempfile.NamedTemporaryFile("w", dir="/tmp", suffix=".py") as program:
            program.write(f"{PRELUDE}\nsay('ran')\nchannel.recv(1)\n")
            program.flush()
            argv = (program.name, "{fd}")
            worker = sandbox.start(WorkerSpec(argv=argv, env={}, memory_bytes=GIGABYTE, files={}))
            assert line(worker) == "ran"
            worker.kill()

    def test_bytes_go_both_ways(self, sandbox: Sandbox) -> None:
        worker = start(sandbox, ECHO)
        worker.channel.sendall(b"ping\n")
        assert line(worker) == "ping"
        worker.channel.shutdown(socket.SHUT_WR)
        assert worker.exit_status(20.0) == 0

    @pytest.mark.parametrize(
        ("script", "code"),
        [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("os._exit(7)", 7), ("os.abort()", -6)],
    )
    def test_exit_codes_arrive_and_the_channel_closes(
        self, sandbox: Sandbox, script: str, code: int
    ) -> None:
        worker = start(sandbox, script)
        assert line(worker) == ""
        assert worker.exit_status(20.0) == code

    def test_a_running_worker_has_no_exit_status(self, sandbox: Sandbox) -> None:
        worker = start(sandbox, "time.sleep(600)")
        assert worker.exit_status(0.05) is None
        worker.kill()
        assert worker.exit_status(20.0) == -9

    def test_kill_ends_everything_and_may_be_repeated(self, sandbox: Sandbox) -> None:
        worker = start(sandbox, FAMILY)
        grandchild = on_host(worker, int(line(worker).split()[1]))
        folder = worker.folder
        assert folder.is_dir()
        worker.kill()
        worker.kill()
        assert not folder.exists()
        assert until(lambda: not is_alive(grandchild))
        worker.freeze()
        worker.thaw()
        assert worker.stderr() == ""

    def test_kill_works_on_the_frozen_and_the_dead(self, sandbox: Sandbox) -> None:
        frozen, dead = start(sandbox, "time.sleep(600)"), start(sandbox, "")
        frozen.freeze()
        assert dead.exit_status(20.0) == 0
        frozen.kill()
        dead.kill()
        assert frozen.exit_status(20.0) == -9

    def test_frozen_workers_and_their_children_stand_still(self, sandbox: Sandbox) -> None:
        worker = start(
            sandbox,
            "if os.fork() == 0: pass\n" + "while data := channel.recv(1): channel.sendall(data)",
        )
        worker.channel.sendall(b"a")
        assert worker.channel.recv(1) == b"a"
        worker.freeze()
        worker.channel.sendall(b"b")
        worker.channel.settimeout(0.3)
        with pytest.raises(TimeoutError):
            worker.channel.recv(1)
        worker.thaw()
        worker.channel.settimeout(20)
        assert worker.channel.recv(1) == b"b"

    def test_the_environment_is_clean(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OPENAI_API_KEY", "PYTHONPATH", "KERNELWRIGHT_MODEL", "LD_PRELOAD_NOT"):
            monkeypatch.setenv(name, "secret")
        worker = start(
            sandbox,
            "say(repr(dict(os.environ)))\nsay(os.getcwd())\nsay(repr(sys.path))",
            env={"PLACE": "{folder}/x", "PATH": "{folder}/bin:{path}"},
        )
        environment, cwd, path = line(worker), line(worker), line(worker)
        assert "secret" not in environment
        assert "/x'" in environment
        assert "/bin:" in environment
        assert "''" not in path
        assert str(Path.cwd()) not in (cwd, path)

    def test_files_are_private_copies(self, sandbox: Sandbox, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "tool").write_text("original")
        (tmp_path / "sub" / "tool").chmod(0o755)
        (tmp_path / "away").symlink_to("/")
        script = """
        tool = "given/sub/tool"
        say(open(tool).read() + str(os.access(tool, os.X_OK)) + str(os.path.islink("given/away")))
        open(tool, "w").write("changed")
        say("done")
    """
        worker = start(sandbox, "\n".join(row.strip() for row in script.splitlines()),
                       files={"given": str(tmp_path)})  # fmt: skip
        assert line(worker) == "originalTrueTrue"
        assert line(worker) == "done"
        assert (tmp_path / "sub" / "tool").read_text() == "original"

    @pytest.mark.parametrize("above", ["/tmp", pwd.getpwuid(os.getuid()).pw_dir])
    def test_what_it_is_shown_can_be_read_wherever_it_lies(
        self, sandbox: Sandbox, above: str
    ) -> None:
        """Check it in /tmp, of which workers have their own, and in a home closed to others."""
        with tempfile.TemporaryDirectory(dir=above) as name:
            folder = Path(name)
            (folder / "shown").mkdir()
            for file in ("shown/text", "file", "hidden"):
                (folder / file).write_text(file)
            for anybodys in (folder / "shown", folder / "hidden"):
                anybodys.chmod(0o777)
            readable = (f"{name}/shown", f"{name}/file")
            worker = start(sandbox, READS, env={"ABOVE": name}, readable=readable)
            assert [line(worker), line(worker)] == ["shown/text", "file"]
            if sandbox.info.kind != "process":
                assert line(worker) == repr("No such file or directory")
                assert line(worker) == "Read-only file system"
            worker.kill()

    def test_memory_is_limited(self, sandbox: Sandbox) -> None:
        worker = start(sandbox, "channel.recv(1); bytearray(2 * 2**30)", memory_bytes=GIGABYTE)
        worker.channel.sendall(b"go")
        assert worker.exit_status(20.0) == 1
        assert "MemoryError" in worker.stderr()

    def test_what_it_prints_is_kept_and_bounded(self, sandbox: Sandbox) -> None:
        flood = "print('x' * 3_000_000)\nprint('out', flush=True)\nprint('err', file=sys.stderr)"
        worker = start(sandbox, flood)
        assert worker.exit_status(20.0) == 0
        text = worker.stderr()
        assert text.endswith("out\nerr\n")
        assert len(text) <= 200_000

    def test_workers_do_not_see_each_other(self, sandbox: Sandbox) -> None:
        first, second = start(sandbox, ECHO), start(sandbox, ECHO)
        assert first.folder != second.folder
        first.channel.shutdown(socket.SHUT_WR)
        assert first.exit_status(20.0) == 0  # the second holds no end of its channel open
        second.channel.sendall(b"still\n")
        assert line(second) == "still"

    def test_a_worker_outlives_the_thread_that_asked_for_it(self, sandbox: Sandbox) -> None:
        script = "import ctypes, signal\nctypes.CDLL(None).prctl(1, 9)\nsay('ready')\n" + ECHO
        workers: list[WorkerProcess] = []

        def ask() -> None:
            workers.append(start(sandbox, script))
            assert line(workers[0]) == "ready"

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert workers[0].exit_status(0.2) is None
        workers[0].channel.sendall(b"here\n")
        assert line(workers[0]) == "here"

    def test_close_ends_every_worker(self, another: Sandbox) -> None:
        workers = [start(another, "time.sleep(600)") for _ in range(3)]
        another.close()
        assert [worker.exit_status(20.0) for worker in workers] == [-9, -9, -9]
        assert not any(worker.folder.exists() for worker in workers)
