"""Small programs that try what a sandbox should not let them do, and say whether they could.

Each is Python for the worker, and undoes what it could do. It calls `held(why)` where it was
stopped; when it comes to its end, or calls `is_open(how)`, the limit is not there. The last one is
the other way round: it tries what a sandbox must let it do.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import Sandbox, WorkerSpec

MEMORY_BYTES = 2**29
PROBE_S = 60.0
HEAD = """
import ctypes, errno, os, signal, socket, stat, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def say(word, text):
    os.write(2, f"\\nprobe: {word}: {text}\\n".encode())
    os._exit(0)
def held(why): say("held", why)
def is_open(how): say("open", how)
def syscall_fails(result):
    if result == -1: held(os.strerror(ctypes.get_errno()))
"""


class Host(NamedTuple):
    """Things on the host for a probe to reach."""

    port: int
    """A TCP server on the loopback address."""
    file: Path
    """A file that only this user may read, and a folder to write to."""
    socket: Path
    """A server on a Unix socket."""
    abstract: str
    """Name of a server on a Unix socket that is no file."""
    pid: int
    shown: Path
    """A file of the cache that workers may read, in a folder that only this user may enter."""


class Probe(NamedTuple):
    """One attempt, as a program."""

    name: str
    script: str


class ProbeResult(NamedTuple):
    """The outcome of one probe."""

    probe: str
    is_held: bool
    words: str


SHOWN = "what it is shown"
PROBES = (
    Probe(
        "network",
        """
try: socket.create_connection(("127.0.0.1", {port}), 2)
except OSError as error: held(error.strerror or str(error))
is_open("connected to a server of the host")
""",
    ),
    Probe(
        "network interfaces",
        """
names = [name for _, name in socket.if_nameindex() if name != "lo"]
held("only lo") if not names else is_open(", ".join(names))
""",
    ),
    Probe(
        "name lookup",
        """
query = bytes.fromhex("1234010000010000000000000161000001" "0001")
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(query, ("192.0.2.1", 53))
except OSError as error: held(error.strerror)
is_open("a datagram left for a name server")
""",
    ),
    Probe(
        "virtual machine sockets",
        """
try: socket.socket(40, socket.SOCK_STREAM)
except OSError as error: held(error.strerror)
is_open("a socket to the hypervisor")
""",
    ),
    Probe(
        "Unix sockets of the host",
        """
for name in ({socket!r}, "\\0" + {abstract!r}, "/var/run/docker.sock", "/run/docker.sock"):
    try: socket.socket(socket.AF_UNIX).connect(name)
    except OSError: continue
    is_open(repr(name))
held("none to be found")
""",
    ),
    Probe(
        "files of the host",
        """
try: open({file!r}).read()
except OSError as error: held(error.strerror)
is_open("read a private file")
""",
    ),
    Probe(
        "writing to the host",
        """
for folder in (os.path.dirname({file!r}), "/usr", "/etc", "/", "/opt", sys.prefix):
    try: open(folder + "/{name}", "w").close()
    except OSError: continue
    os.unlink(folder + "/{name}")
    is_open(folder)
held("everything but its folder is read-only")
""",
    ),
    Probe(
        "environment and keys",
        """
found = [name for name in os.environ if any(word in name for word in ("KEY", "TOKEN", "SECRET"))]
if found: is_open(", ".join(found))
try: open("/proc/{pid}/environ").read()
except OSError as error: held(error.strerror)
is_open("read the judge's environment")
""",
    ),
    Probe(
        "processes of the host",
        """
pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]
words = f"sees {{len(pids)}} processes"
is_open(words) if len(pids) > 12 or {pid} in pids else held(words)
""",
    ),
    Probe(
        "signals to the judge",
        """
try: os.kill({pid}, 0)
except OSError as error: held(error.strerror)
is_open("could end it") if os.path.exists("/proc/{pid}") else held("there is no such process")
""",
    ),
    Probe(
        "tracing",
        """
child = os.fork()
if child == 0: time.sleep(20)
syscall_fails(libc.ptrace(16, child, 0, 0))
""",
    ),
    Probe(
        "mounts",
        """
os.mkdir("target")
syscall_fails(libc.mount(b"none", b"target", b"tmpfs", 0, None))
libc.umount2(b"target", 2)
""",
    ),
    Probe("new namespaces", "syscall_fails(libc.unshare(0x10000000))"),
    Probe(
        "device files",
        """
try: os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
except OSError as error: held(error.strerror)
""",
    ),
    Probe(
        "another user",
        """
try: os.setuid(0)
except OSError as error: held(error.strerror)
is_open("is root") if os.getuid() == 0 else None
""",
    ),
    Probe(
        "new privileges",
        """
status = dict(row.split(":", 1) for row in open("/proc/self/status").read().splitlines())
left = int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16)
held("no capabilities, none to be had") if not left and int(status["NoNewPrivs"]) else None
is_open(f"capabilities {{left:x}}")
""",
    ),
    Probe(
        "raised priority",
        """
try: os.setpriority(os.PRIO_PROCESS, 0, -5)
except OSError as error: held(error.strerror)
""",
    ),
    Probe(
        "filter of system calls",
        """
status = dict(row.split(":", 1) for row in open("/proc/self/status").read().splitlines())
held("on") if int(status["Seccomp"]) == 2 else is_open("off")
""",
    ),
    Probe(
        "fork bomb",
        """
started = []
try:
    for _ in range(1500):
        pid = os.fork()
        if pid == 0: time.sleep(60); os._exit(0)
        started.append(pid)
except OSError as error: held(f"{{len(started)}} processes, then: {{error.strerror}}")
is_open(f"{{len(started)}} processes")
""",
    ),
    Probe(
        "memory bomb",
        """
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        try: block = bytearray({memory} * 3 // 4); block[::4096] = b"x" * len(block[::4096])
        except MemoryError: os._exit(1)
        time.sleep(1); os._exit(0)
    children.append(pid)
ends = [os.waitpid(pid, 0)[1] for pid in children]
held(f"{{sum(map(bool, ends))}} of 8 processes ended for it") if any(ends) else None
is_open("8 processes with 3/4 of the limit each")
""",
    ),
    Probe(
        "disk",
        """
try:
    for number in range(12):
        with open(f"filler{{number}}", "wb") as file: os.posix_fallocate(file.fileno(), 0, 2**28)
except OSError as error: held(f"{{number / 4:.2f}} GiB, then: {{error.strerror}}")
is_open("3 GiB")
""",
    ),
    Probe(
        "number of files",
        """
try:
    for number in range(120000): open(f"file{{number}}", "w").close()
except OSError as error: held(f"{{number}} files, then: {{error.strerror}}")
is_open("120,000 files")
""",
    ),
    Probe(
        "core dumps",
        """
import resource
held("none") if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else None
""",
    ),
    Probe(
        SHOWN,
        """
try: open({shown!r}).read()
except OSError as error: is_open(f"can't be read: {{error.strerror}}")
held("can be read")
""",
    ),
)


@contextmanager
def host(cache: Path) -> Iterator[Host]:
    """Yield things on this host that no worker should reach, and one that workers are shown.

    Args:
        cache: folder for what they are shown.
    """
    name = f"kernelwright-probe-{secrets.token_hex(4)}"
    cache.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=cache) as kept,
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        shown = Path(kept) / "shown"
        shown.write_text("shown")
        file, path = Path(folder) / "secret", Path(folder) / "socket"
        file.write_text("secret")
        with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
            unix.bind(str(path))
            unix.listen()
            abstract.bind(f"\0{name}")
            abstract.listen()
            yield Host(server.getsockname()[1], file, path, name, os.getpid(), shown)


def attempt(sandbox: Sandbox, probe: Probe, where: Host) -> ProbeResult:
    """Run a probe in a worker of its own."""
    words = {
        "port": where.port,
        "file": str(where.file),
        "socket": str(where.socket),
        "abstract": where.abstract,
        "name": where.abstract,
        "pid": where.pid,
        "memory": MEMORY_BYTES,
        "shown": str(where.shown),
    }
    script = HEAD + probe.script.format(**words) + '\nis_open("nothing stopped it")\n'
    worker = sandbox.start(
        WorkerSpec(
            argv=("-c", script),
            env={},
            memory_bytes=MEMORY_BYTES,
            files={},
            readable=(str(where.shown),),
        )
    )
    try:
        status = worker.exit_status(PROBE_S)
        said = worker.stderr()
    finally:
        worker.kill()
    return _finding(probe, said, status)


def _finding(probe: Probe, said: str, status: int | None) -> ProbeResult:
    for line in said.splitlines():
        if line.startswith("probe: "):
            _, word, text = line.split(": ", 2)
            return ProbeResult(probe.name, word == "held", text)
    if status is not None and status < 0:  # killed for it
        return ProbeResult(probe.name, True, f"ended by signal {-status}")
    raise InfrastructureError(f"the probe {probe.name!r} says nothing: {said[-300:]}")
