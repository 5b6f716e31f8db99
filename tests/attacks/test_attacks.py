"""Candidates that attack what they run in, and the judge's verdict on each, in every sandbox."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.probes import Host, host
from kernelwright.schema import Evaluation, Limits, Status
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from tests.sandbox.kit import opened
from tests.verifier import kit

REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2
"""
RIGHT = "return torch.relu(x) * 2"
CONFINED = ("docker", "bwrap")


class Attack(NamedTuple):
    """A candidate's code, run when it is imported, and what must become of it."""

    name: str
    code: str
    statuses: tuple[Status, ...]
    says: str = ""
    sandboxes: tuple[str, ...] = ("docker", "bwrap", "process")


FAILED = (Status.RUNTIME_ERROR,)


def confined(name: str, code: str, statuses: tuple[Status, ...] = FAILED, says: str = "") -> Attack:
    """Return an attack that `process` does not claim to stop."""
    return Attack(name, code, statuses, says, CONFINED)


ATTACKS = (
    confined("network", "socket.create_connection(('127.0.0.1', {port}))"),
    confined("name lookup", "socket.getaddrinfo('example.org', 80)"),
    confined("a Unix socket", "socket.socket(socket.AF_UNIX).connect({socket!r})"),
    confined("an abstract socket", "socket.socket(socket.AF_UNIX).connect(chr(0) + {name!r})"),
    confined("a secret file", "open({file!r}).read()", says="No such file"),
    confined("the judge's environment", "open('/proc/{pid}/environ').read()"),
    confined("a signal to the judge", "os.kill({pid}, 0)"),
    confined("writing outside", "open('/usr/mine', 'w')"),
    confined("a hard link to a program", "os.link('/usr/bin/env', 'env')"),
    confined("becoming root", "os.setuid(0)"),
    confined("a device", "os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(254, 0))"),
    confined("priority", "os.nice(-5)"),
    confined(
        "many processes",
        "while True:\n    if os.fork() == 0: time.sleep(600)",
        (Status.RUNTIME_ERROR, Status.OUT_OF_MEMORY, Status.TIMEOUT),
    ),
    confined(
        "many threads",
        "while True: threading.Thread(target=time.sleep, args=(600,)).start()",
        (Status.RUNTIME_ERROR, Status.OUT_OF_MEMORY, Status.TIMEOUT),
    ),
    confined(
        "disk",
        "for n in range(64): open(f'f{{n}}', 'wb').write(bytes(2**26))",
        says="No space left",
    ),
    confined("files", "for n in range(10**6): open(f'f{{n}}', 'w').close()", says="No space left"),
    Attack("memory", "hog = [torch.ones(2**28) for _ in range(10**4)]", (Status.OUT_OF_MEMORY,)),
    Attack(
        "a daemon",
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)",
        (Status.REWARD_HACK,),
        "left its group",
    ),
    Attack(
        "an endless loop",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
        (Status.TIMEOUT,),
    ),
    Attack(
        "an endless loop that no signal reaches",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\nwhile True: pass",
        (Status.TIMEOUT,),
    ),
    Attack("a stop of its own", "os.kill(os.getpid(), signal.SIGSTOP)", (Status.TIMEOUT,)),
    Attack("a crash", "ctypes.string_at(0)", FAILED, "signal 11"),
    Attack(
        "output without end",
        "while True: os.write(1, b'x' * 2**20)",
        (Status.RUNTIME_ERROR, Status.TIMEOUT),
    ),
    Attack(
        "children that nobody waits for",
        "for _ in range(50):\n    if os.fork() == 0: os._exit(0)",
        (Status.PASSED,),
    ),
)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("cache")) as found:
        yield found


@pytest.fixture(scope="module", params=["docker", "bwrap", "process"])
def judge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Judge]:
    limits = Limits(build_timeout_s=10, call_timeout_s=60, memory_bytes=2**28)
    with opened(request.param) as sandbox:
        machine = Machine(sandbox, 1, "cpu")
        with Reference(kit.task(REFERENCE, limits), machine, kit.SEED) as reference:
            yield Judge(reference, tmp_path_factory.mktemp("cache"))


def evaluated(judge: Judge, attack: Attack, where: Host) -> Evaluation:
    head = (
        "import ctypes, os, signal, socket, stat, threading, time\nos.chdir(os.environ['HOME'])\n"
    )
    code = textwrap.dedent(attack.code).format(
        port=where.port,
        file=str(where.file),
        socket=str(where.socket),
        name=where.abstract,
        pid=where.pid,
    )
    return judge.evaluate(kit.candidate(kit.forward(RIGHT, head + code)), "fast")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_a_status(judge: Judge, attack: Attack, where: Host) -> None:
    kind = judge.reference.machine.sandbox.info.kind
    if kind not in attack.sandboxes:
        pytest.skip(f"{kind} does not claim to hold this")
    before = kit.children()
    result = evaluated(judge, attack, where)
    assert result.status in attack.statuses, result.reason
    assert attack.says in result.reason
    # The reference's own workers may have come: two of eager's, and what starts them.
    assert len(kit.children()) <= len(before) + 3


def test_the_next_candidate_is_not_touched(judge: Judge, where: Host) -> None:
    leaves = "open('/tmp/left', 'w').write('x')\nopen('/dev/shm/left', 'w').write('x')"
    looks = "assert not os.path.exists('/tmp/left') and not os.path.exists('/dev/shm/left')"
    if judge.reference.machine.sandbox.info.kind == "process":
        pytest.skip("process does not claim to hold this")
    for code in (leaves, looks):
        assert evaluated(judge, Attack("", code, ()), where).status is Status.PASSED


def test_nothing_of_the_attacks_is_left(judge: Judge) -> None:
    assert not Path("/usr/mine").exists()
    assert os.path.exists("/usr/bin/env")
