"""The `docker` sandbox beyond what every sandbox must do: a failing engine, leftovers, sharing."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from kernelwright.errors import InfrastructureError, PrerequisiteError, UsageError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.docker.container import LABEL, Container, sweep
from kernelwright.sandbox.docker.engine import connect
from kernelwright.sandbox.docker.image import build, tag
from kernelwright.sandbox.docker.sandbox import DockerSandbox
from kernelwright.sandbox.linux_worker import LinuxWorker
from kernelwright.testing.sandbox import is_alive, until
from tests.sandbox.kit import opened

WAITS = "import time; time.sleep(600)"
NOBODY = 65534


def spec(script: str, tenant: str = "") -> WorkerSpec:
    return WorkerSpec(
        argv=("-c", script, "{fd}"), env={}, memory_bytes=2**30, files={}, tenant=tenant
    )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    with opened("docker") as found:
        assert isinstance(found, DockerSandbox)
        yield found


@pytest.fixture
def client(sandbox: DockerSandbox) -> Iterator[docker.DockerClient]:
    found = connect()
    yield found
    found.close()


def containers(client: docker.DockerClient) -> set[str]:
    """Return the ids of all containers that kernelwright made."""
    found = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    return {str(one.id) for one in found}


def names(client: docker.DockerClient, only_running: bool = False) -> list[str]:
    """Return the names of all containers that kernelwright made."""
    found = client.containers.list(
        all=not only_running, filters={"label": LABEL}, ignore_removed=True
    )
    return [str(one.name) for one in found]


def container_of(worker: LinuxWorker) -> str:
    """Return the id of the container that a worker is in."""
    groups = Path(f"/proc/{worker.pid}/cgroup").read_text()
    return next(row.rpartition("/")[2] for row in groups.splitlines() if "docker" in row)


def test_a_removed_container_leaves_no_descriptor(
    sandbox: DockerSandbox, client: docker.DockerClient
) -> None:
    image, descriptors = str(client.images.get(tag("cpu")).id), []
    gc.disable()  # it would hide what is never closed
    try:
        for _ in range(12):  # the client keeps some connections at first
            container = Container(client, image, spec(WAITS))
            container.remove()
            descriptors.append(len(os.listdir("/proc/self/fd")))
    finally:
        gc.enable()
    assert descriptors[-1] == descriptors[-4]


def test_a_tenant_has_one_container_and_nobody_else_is_in_it(sandbox: DockerSandbox) -> None:
    first, second = sandbox.start(spec(WAITS, "a")), sandbox.start(spec(WAITS, "a"))
    other, alone = sandbox.start(spec(WAITS, "b")), sandbox.start(spec(WAITS))
    ours = container_of(first)
    assert container_of(second) == ours
    assert len({ours, container_of(other), container_of(alone)}) == 3
    first.kill()
    assert second.exit_status(0.1) is None
    for worker in (second, other, alone):
        worker.kill()
    later = sandbox.start(spec(WAITS, "a"))
    assert container_of(later) != ours
    later.kill()


LEAVES = """
import ctypes, os
for place in ("/tmp", "/dev/shm"): open(f"{place}/left", "w").write("x")
os.chmod(os.getcwd(), 0o777)
libc = ctypes.CDLL(None)
print("segment", libc.shmget(4711, 4096, 0o1666) >= 0, flush=True)
"""
LOOKS = """
import ctypes, os
print("files", [place for place in ("/tmp", "/dev/shm") if os.listdir(place)])
print("segment", ctypes.CDLL(None).shmget(4711, 4096, 0o666) >= 0, flush=True)
"""


def test_workers_of_a_tenant_leave_each_other_nothing(sandbox: DockerSandbox) -> None:
    """Check it, since they see the same inputs: what one left would be answers to the next."""
    keeper = sandbox.start(spec(WAITS, "c"))
    first = sandbox.start(spec(LEAVES, "c"))
    assert first.exit_status(20) == 0
    assert first.stderr() == "segment True\n"
    second = sandbox.start(spec(LOOKS, "c"))
    assert second.exit_status(20) == 0
    assert second.stderr() == "files []\nsegment False\n"
    for worker in (keeper, first, second):
        worker.kill()


OPENS = """
import ctypes, os, time
home = os.environ["HOME"]
os.umask(0)
os.chmod(home, 0o777)
open(f"{home}/left", "w").write("an answer")
ctypes.CDLL(None).prctl(15, home[-8:].encode(), 0, 0, 0)
print(home, os.getpid(), flush=True)
time.sleep(600)
"""
REACHES = """
import glob, os
def attempt(do):
    try: return do()
    except OSError as error: return error.strerror
home, pid = os.environ["OTHER"].split()
own = os.environ["HOME"]
print(attempt(lambda: open(f"{home}/left").read()))
print(attempt(lambda: open(f"{home}/for-you", "w").name))
print(attempt(lambda: os.listdir(f"{own}/../{os.path.basename(home)}")))
print(attempt(lambda: os.listdir(os.path.dirname(own)) == [os.path.basename(own)]))
print(attempt(lambda: os.listdir(f"/proc/{pid}/root{home}")))
print(attempt(lambda: open(f"/proc/{pid}/comm").read()))
print([at for at in glob.glob("/proc/[0-9]*/comm") if os.stat(at).st_uid != os.getuid()])
"""


def test_a_folder_open_to_all_is_out_of_a_neighbours_reach(sandbox: DockerSandbox) -> None:
    keeper = sandbox.start(spec(OPENS, "d"))
    assert until(lambda: keeper.stderr().endswith("\n"))
    home, pid = keeper.stderr().split()
    assert (keeper.folder / "left").read_text() == "an answer"
    own = spec(REACHES, "d").model_copy(update={"env": {"OTHER": f"{home} {pid}"}})
    neighbour = sandbox.start(own)
    assert neighbour.exit_status(20) == 0
    assert neighbour.stderr().splitlines() == [
        *["No such file or directory"] * 3,
        "True",
        *["No such file or directory"] * 2,
        "[]",
    ]
    keeper.kill()
    neighbour.kill()


def test_a_container_removed_from_outside_is_nobodys_fault(
    sandbox: DockerSandbox, client: docker.DockerClient
) -> None:
    worker = sandbox.start(spec(WAITS))
    container = client.containers.get(container_of(worker))
    # The engine can't end it before the worker's parent, which is the judge, has taken note.
    remover = threading.Thread(target=container.remove, kwargs={"force": True})
    remover.start()
    with pytest.raises(InfrastructureError, match="removed from outside"):
        worker.exit_status(20)
    remover.join()
    worker.kill()


def test_the_container_whose_network_all_join_is_made_again(client: docker.DockerClient) -> None:
    with opened("docker") as own:
        assert isinstance(own, DockerSandbox)
        own.start(spec(WAITS)).kill()
        assert own._first is not None
        client.containers.get(own._first.name).remove(force=True)
        assert until(lambda: own._first is not None and not is_alive(own._first.init))
        for _ in range(3):  # the first may have been made before
            worker = own.start(spec(WAITS))
            assert worker.exit_status(0.1) is None
            worker.kill()


def test_containers_have_no_network_but_loopback(sandbox: DockerSandbox) -> None:
    looks = "import os; print(os.listdir('/sys/class/net') or 'none')"
    worker = sandbox.start(spec(looks))
    assert worker.exit_status(20) == 0
    assert worker.stderr() in ("['lo']\n", "none\n")
    worker.kill()


def test_a_worker_that_ends_itself_is_not_mistaken_for_that(sandbox: DockerSandbox) -> None:
    worker = sandbox.start(spec("import os; os.kill(os.getpid(), 9)"))
    assert worker.exit_status(20) == -signal.SIGKILL
    worker.kill()


def test_close_removes_every_container(client: docker.DockerClient) -> None:
    with opened("docker") as other:
        assert isinstance(other, DockerSandbox)
        workers = [other.start(spec(WAITS, tenant)) for tenant in "xy"]
        mine = set(map(container_of, workers))
        assert len(mine) == 2
        assert mine <= containers(client)
    assert until(lambda: not mine & containers(client))


HOST = """
import sys, time
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.docker.sandbox import DockerSandbox
sandbox = DockerSandbox()  # kept: a worker does not outlive its sandbox
worker = sandbox.start(WorkerSpec(argv=("-c", "import time; time.sleep(600)"), env={},
                                  memory_bytes=2**30, files={}))
print(worker.pid, flush=True)
time.sleep(600)
"""


def test_a_killed_host_leaves_no_container(
    sandbox: DockerSandbox, client: docker.DockerClient
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    host = subprocess.Popen(
        [sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert host.stdout is not None
    worker = int(host.stdout.readline())
    mark = f"-{host.pid}-"
    assert [name for name in names(client) if mark in name]
    host.kill()
    host.wait()
    assert until(lambda: not is_alive(worker))
    with suppress(ChildProcessError):  # an orphan that became a child of this process
        os.waitpid(worker, 0)
    assert until(lambda: not any(mark in name for name in names(client, only_running=True)))

    def is_swept() -> bool:
        """Sweep as at the next start: the engine may still be at one ordered and not started."""
        sweep(client)
        return not any(mark in name for name in names(client))

    assert until(is_swept)


DEAD = "kernelwright-00000000-1-2-00000000"  # of another start of this machine


def test_leftovers_of_the_dead_are_swept_and_nobody_elses(
    sandbox: DockerSandbox, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(client)
    mine = Container(client, tag("cpu"), spec(WAITS))
    with monkeypatch.context() as patch:
        patch.setattr("kernelwright.sandbox.docker.container.new_name", lambda: DEAD)
        left = Container(client, tag("cpu"), spec(WAITS))
    assert sweep(client) == 1
    assert mine.name in names(client)
    assert left.name not in names(client)
    mine.remove()


def test_a_container_for_later_that_could_not_be_made_is_not_the_next_ones_fault(
    sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Container:
        raise InfrastructureError("no container")

    with monkeypatch.context() as patch:
        patch.setattr(DockerSandbox, "_new_for_later", fails)
        sandbox.start(spec(WAITS)).kill()
    sandbox.start(spec(WAITS)).kill()


def test_a_missing_image_says_how_to_build_it(sandbox: DockerSandbox) -> None:
    with pytest.raises(PrerequisiteError, match="image is missing") as caught:
        DockerSandbox("kernelwright-none:none")
    assert "kernelwright sandbox build" in (caught.value.hint or "")


def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    with pytest.raises(PrerequisiteError, match="no Docker engine answers") as caught:
        connect()
    assert "--sandbox bwrap" in (caught.value.hint or "")


def test_no_permission_on_the_socket(sandbox: DockerSandbox) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setuid(NOBODY)
        try:
            connect()
        except PrerequisiteError as error:
            os.write(writer, f"{error.message}: {error.hint}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader) as told:
        assert told.read() == (
            "no permission to use the Docker engine's socket: "
            "join the group `docker`, or run as root"
        )


class Relay:
    """A socket that passes on to the engine's until it is cut."""

    def __init__(self, path: Path, engine: str) -> None:
        self._engine = engine
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._open: list[socket.socket] = [self._server]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._engine)
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def cut(self) -> None:
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(2**16):
            target.sendall(data)
    except OSError:
        return


def test_an_engine_that_stops_answering_is_nobodys_fault(
    sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    relay = Relay(tmp_path / "engine.sock", "/var/run/docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'engine.sock'}")
    own = DockerSandbox()
    worker = own.start(spec(WAITS))
    relay.cut()
    with pytest.raises(InfrastructureError, match="cannot start a container"):
        for _ in range(3):  # one stood ready
            own.start(spec(WAITS))
    worker.kill()
    own.close()


@pytest.mark.parametrize("wheels", ["none", "empty"])
def test_a_folder_without_wheels(sandbox: DockerSandbox, tmp_path: Path, wheels: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no wheels in"):
        build(connect(), "cpu", None, tmp_path / wheels, print)
