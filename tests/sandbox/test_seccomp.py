"""The filter of system calls, on the machine it is for and as a program."""

from __future__ import annotations

import platform
import struct
import subprocess
import sys

import pytest

from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox import seccomp

# Loads the filter, then makes one system call by number and prints what it gave.
TRY = """
import base64, ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program = base64.b64decode(sys.argv[1])
memory = ctypes.create_string_buffer(program, len(program))
libc.prctl(38, 1, 0, 0, 0)
both = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(memory))
assert libc.prctl(22, 2, both, 0, 0) == 0
result = libc.syscall(*map(int, sys.argv[2:]))
print(result, ctypes.get_errno())
"""
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
MACHINE = seccomp.ARCHITECTURES.get(platform.machine())


def call(*numbers: int) -> tuple[int, int]:
    arguments = [seccomp.program(), *map(str, numbers)]
    done = subprocess.run(
        [sys.executable, "-c", TRY, *arguments], capture_output=True, text=True, check=True
    )
    result, error = map(int, done.stdout.split())
    return result, error


@pytest.mark.skipif(MACHINE is None, reason="no filter for this machine")
@pytest.mark.parametrize("name", sorted(MACHINE.refused if MACHINE else ()))
def test_a_refused_call_is_not_made(name: str) -> None:
    assert MACHINE is not None
    assert call(MACHINE.refused[name], 0, 0, 0, 0, 0) == (-1, EPERM)


@pytest.mark.skipif(MACHINE is None, reason="no filter for this machine")
def test_calls_that_depend_on_their_arguments() -> None:
    assert MACHINE is not None
    assert call(seccomp.CLONE3, 0, 0) == (-1, ENOSYS)
    for flag in (0x00020000, 0x10000000, 0x20000000, 0x40000000):
        assert call(MACHINE.clone, flag | 17, 0, 0, 0, 0) == (-1, EPERM)
    for family in (38, 40, 17):  # crypto, virtual machines, packets
        assert call(MACHINE.socket, family, 1, 0) == (-1, EAFNOSUPPORT)
    for family in seccomp.FAMILIES:
        assert call(MACHINE.socket, family, 3 if family == 16 else 1, 0)[0] >= 0


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_every_jump_ends_in_the_program(machine: str) -> None:
    program = seccomp._program(seccomp.ARCHITECTURES[machine])
    lines = [struct.unpack("HBBI", program[at : at + 8]) for at in range(0, len(program), 8)]
    for number, (code, true, false, _) in enumerate(lines):
        if code & 7 == 5:
            assert number + 1 + max(true, false) < len(lines)
    assert lines[-1][0] == seccomp.RETURN
    assert len(lines) < 4096


def test_an_unknown_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(PrerequisiteError, match="pdp11"):
        seccomp.program()
