"""The filter of system calls that confined workers run under, as a seccomp program.

Refused is what no kernel build or run needs and what has been a way out of containers: mounting,
namespaces, tracing, modules, keys, BPF, io_uring, userfaultfd, setting clocks, and sockets of
families that network namespaces do not hold (vsock) or that only widen the kernel's surface. Much
as Docker's default profile (moby/profiles/seccomp), which has a list of what is allowed instead.
"""

from __future__ import annotations

import base64
import errno
import platform
import struct
from typing import NamedTuple

from kernelwright.errors import PrerequisiteError

# linux/bpf_common.h, linux/seccomp.h
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0x80000000
# struct seccomp_data: number, architecture, first argument's lower half.
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16
X32_BIT = 0x40000000
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEW* of clone(2)
FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink

# Numbers from 424 on are the same everywhere.
NEW = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
}
CLONE3 = 435


class Architecture(NamedTuple):
    """Numbers of one architecture (asm/unistd.h)."""

    audit: int
    clone: int
    socket: int
    refused: dict[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(
        audit=0xC000003E,
        clone=56,
        socket=41,
        refused={
            "ptrace": 101,
            "syslog": 103,
            "uselib": 134,
            "vhangup": 153,
            "modify_ldt": 154,
            "pivot_root": 155,
            "adjtimex": 159,
            "chroot": 161,
            "acct": 163,
            "settimeofday": 164,
            "mount": 165,
            "umount2": 166,
            "swapon": 167,
            "swapoff": 168,
            "reboot": 169,
            "sethostname": 170,
            "setdomainname": 171,
            "iopl": 172,
            "ioperm": 173,
            "init_module": 175,
            "delete_module": 176,
            "quotactl": 179,
            "lookup_dcookie": 212,
            "clock_settime": 227,
            "kexec_load": 246,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "migrate_pages": 256,
            "unshare": 272,
            "move_pages": 279,
            "perf_event_open": 298,
            "fanotify_init": 300,
            "name_to_handle_at": 303,
            "open_by_handle_at": 304,
            "clock_adjtime": 305,
            "setns": 308,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "kcmp": 312,
            "finit_module": 313,
            "kexec_file_load": 320,
            "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": Architecture(
        audit=0xC00000B7,
        clone=220,
        socket=198,
        refused={
            "lookup_dcookie": 18,
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "chroot": 51,
            "vhangup": 58,
            "quotactl": 60,
            "acct": 89,
            "unshare": 97,
            "kexec_load": 104,
            "init_module": 105,
            "delete_module": 106,
            "clock_settime": 112,
            "syslog": 116,
            "ptrace": 117,
            "reboot": 142,
            "sethostname": 161,
            "setdomainname": 162,
            "settimeofday": 170,
            "adjtimex": 171,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "swapon": 224,
            "swapoff": 225,
            "migrate_pages": 238,
            "move_pages": 239,
            "perf_event_open": 241,
            "fanotify_init": 262,
            "name_to_handle_at": 264,
            "open_by_handle_at": 265,
            "clock_adjtime": 266,
            "setns": 268,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "kcmp": 272,
            "finit_module": 273,
            "bpf": 280,
            "userfaultfd": 282,
            "kexec_file_load": 294,
        },
    ),
}


def program() -> str:
    """Return the filter for this machine, in base64.

    Raises:
        PrerequisiteError: the numbers of its system calls are not in the table.
    """
    name = platform.machine()
    if name not in ARCHITECTURES:
        raise PrerequisiteError(f"no filter of system calls for {name!r}")
    return base64.b64encode(_program(ARCHITECTURES[name])).decode()


def _program(architecture: Architecture) -> bytes:
    refuse, unknown = ERROR | errno.EPERM, ERROR | errno.EAFNOSUPPORT
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, refuse),
        # Its flags lie in memory that a filter can't read; the C library falls back to clone.
        (JUMP_EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, ERROR | errno.ENOSYS),
    ]
    for number in (*architecture.refused.values(), *NEW.values()):
        lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    lines += [
        (JUMP_EQUAL, 0, 4, architecture.clone),
        (LOAD, 0, 0, ARGUMENT),
        (JUMP_ANY_BIT, 0, 1, NAMESPACE_FLAGS),
        (RETURN, 0, 0, refuse),
        (RETURN, 0, 0, ALLOW),
        (JUMP_EQUAL, 0, 2 + len(FAMILIES), architecture.socket),
        (LOAD, 0, 0, ARGUMENT),
        *((JUMP_EQUAL, len(FAMILIES) - at, 0, family) for at, family in enumerate(FAMILIES)),
        (RETURN, 0, 0, unknown),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
