"""The fork server: a stand-alone process that forks workers, with torch imported where wanted.

Started as `python -I -B forkserver.py FD`. An order is one packet: JSON with descriptors, of which
the worker gets the first ones as 0, 1, 2 (and more) and the rest open its enclosure.
The answer is the worker's process id, or why there is none. A worker is forked twice, so that it
becomes a child of the host, which is a subreaper and waits for it like for any child; in between
the fork enters the namespaces of the enclosure: processes in there are others' children.
"""

from __future__ import annotations

import base64
import ctypes
import functools
import gc
import json
import os
import pathlib
import random
import resource
import select
import socket
import stat
import struct
import sys
from types import CodeType, ModuleType
from typing import Any, NoReturn

MAX_ORDER_BYTES = 2**18
MAX_DESCRIPTORS = 16
# Received descriptors are moved up here before they get their final numbers.
FIRST_SPARE = 100
PR_SET_PDEATHSIG, SIGKILL = 1, 9
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
SECCOMP_MODE_FILTER = 2
CAPABILITIES_VERSION_3 = 0x20080522
MAX_CAPABILITIES = 64
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 2, 4, 8, 32, 4096
C_LIBRARY = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Serve orders until the host closes its end."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    while True:
        packet, descriptors, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, MAX_DESCRIPTORS)
        if not packet:
            return
        order = json.loads(packet)
        code = prepare(order["argv"][0]) if order["warm"] else None
        answer = spawn(order, descriptors, code)
        for descriptor in descriptors:
            os.close(descriptor)
        orders.send(answer)


@functools.cache
def prepare(path: str) -> CodeType:
    """Import what every worker needs, once; return the code of the worker's file.

    Not triton: whether kernels are interpreted is settled when it is imported.
    """
    import torch.utils._python_dispatch  # noqa: F401

    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    gc.collect()
    gc.freeze()  # collections in a fork do not touch, and so copy, these pages
    trim()
    return code


def trim() -> None:
    """Give free heap memory back.

    A fork would get it in small pages that are copied when they are first written to, and whatever
    came to lie there would be slower, by up to a half, for as long as the fork lives.
    """
    if hasattr(C_LIBRARY, "malloc_trim"):
        C_LIBRARY.malloc_trim(0)


def spawn(order: dict[str, Any], descriptors: list[int], code: CodeType | None) -> bytes:
    """Fork a worker that is no child of this process; return its process id, or what failed."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        ended = os.pidfd_open(os.getpid())
        try:
            enter(order["confinement"], order["folder"], descriptors)
            worker = os.fork()
        except OSError as error:
            os.write(writer, f"error: {error}".encode())
            os._exit(0)
        if worker == 0:
            become(order, descriptors, code, ended)
        os.write(writer, str(worker).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    with open(reader, "rb") as answer:
        return answer.read()


def enter(confinement: dict[str, Any] | None, folder: str, descriptors: list[int]) -> None:
    """Join the control groups and namespaces of an enclosure; later children will be in it.

    Args:
        folder: the worker's; nowhere else may it execute what it wrote.
    """
    if confinement is None:
        return
    for index in confinement["groups"]:
        os.write(descriptors[index], b"0")
    done(C_LIBRARY.setns(descriptors[confinement["init"]], confinement["namespaces"]))
    done(C_LIBRARY.unshare(confinement["apart"]))
    parents = {path: os.open(os.path.dirname(path), os.O_PATH) for path in confinement["shown"]}
    for target, options in confinement["mounts"].items():
        flags = 0 if target == folder else MS_NOEXEC
        mount("tmpfs", target, flags | (0 if confinement["apart"] else MS_REMOUNT), options)
    for path, parent in parents.items():
        show(path, parent)
    if confinement["apart"]:  # from others in the enclosure; for all users there
        mount("proc", "/proc", MS_NOEXEC | MS_REMOUNT, "hidepid=2")


def show(path: str, parent: int) -> None:
    """Put a file or folder back at its path, and let any user get there.

    Args:
        parent: a descriptor of the folder that it is in, which may be under a mount by now.
    """
    for folder in reversed(pathlib.PurePath(path).parents[:-1]):
        if not os.path.exists(folder):
            os.mkdir(folder)
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            mount("tmpfs", str(folder), MS_NOEXEC, "mode=0755")
    os.fchdir(parent)  # /proc has no descriptors of a process that is not in the enclosure
    name = os.path.basename(path)
    if not os.path.exists(path):
        is_folder = stat.S_ISDIR(os.stat(name).st_mode)
        os.mkdir(path) if is_folder else os.mknod(path)
    mount(name, path, MS_BIND)


def mount(source: str, target: str, flags: int, options: str = "") -> None:
    """Mount a kind of file system or, bound, a file or folder.

    Raises:
        OSError: it failed.
    """
    what, where, flags = source.encode(), target.encode(), flags | MS_NOSUID | MS_NODEV
    done(C_LIBRARY.mount(what, where, what, flags, options.encode()))


def done(result: int) -> None:
    """Raise OSError where a call of the C library says that it failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def become(
    order: dict[str, Any], descriptors: list[int], code: CodeType | None, ended: int
) -> NoReturn:
    """Turn this fork into the worker.

    Args:
        ended: becomes readable when this process has the host for its parent: one that asks to be
            killed when its parent dies means that.
    """
    select.select([ended], [], [])
    os.setsid()
    install_descriptors(descriptors[: order["passed"]])
    os.chdir(order["folder"])
    os.sched_setaffinity(0, order["cores"])
    for kind, value in order["limits"].items():
        resource.setrlimit(int(kind), (value, value))
    if order["confinement"] is not None:
        renounce(**order["confinement"]["rights"])
    if code is None:
        done(C_LIBRARY.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))  # as the worker's own file does
        os.execve(order["python"], [order["python"], *order["argv"]], order["env"])
    os.environ.clear()
    os.environ.update(order["env"])
    random.seed()
    sys.argv = order["argv"]
    run(code)


def renounce(user: int | None, filter: str) -> None:
    """Give up every right for good.

    Args:
        user: id of the user and group to become; None keeps those it has.
        filter: the filter of system calls, a seccomp program in base64.
    """
    for capability in range(MAX_CAPABILITIES):
        C_LIBRARY.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header, nothing = struct.pack("Ii", CAPABILITIES_VERSION_3, 0), bytes(24)
    done(C_LIBRARY.capset(header, nothing))
    done(C_LIBRARY.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # A change of user hides a process's own folder in /proc from itself.
    done(C_LIBRARY.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    program = base64.b64decode(filter)
    memory = ctypes.create_string_buffer(program, len(program))
    both = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(memory))
    done(C_LIBRARY.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, both, 0, 0))


def install_descriptors(descriptors: list[int]) -> None:
    """Give the descriptors the numbers 0, 1, 2 ..., and close all others."""
    for index, descriptor in enumerate(descriptors):
        os.dup2(descriptor, FIRST_SPARE + index)
    for index in range(len(descriptors)):
        os.dup2(FIRST_SPARE + index, index)
    os.closerange(len(descriptors), os.sysconf("SC_OPEN_MAX"))


def run(code: CodeType) -> NoReturn:
    """Run the worker's file as the main module."""
    module = ModuleType("__main__")
    module.__file__ = code.co_filename
    sys.modules["__main__"] = module
    exec(code, vars(module))
    sys.exit(0)


if __name__ == "__main__":
    main()
