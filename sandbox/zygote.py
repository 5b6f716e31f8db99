"""The zygote: a stand-alone process that forks workers, those that want torch with it imported.

Started as `python -I -B zygote.py FD`. An order is one packet: JSON with the descriptors that the
worker gets as 0, 1, 2 (and more). The answer is the worker's process id. A worker is forked twice,
so that it becomes a child of the host, which is a subreaper and waits for it like for any child.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import json
import os
import random
import resource
import socket
import sys
import time
from types import CodeType, ModuleType
from typing import Any, NoReturn

MAX_ORDER_BYTES = 2**18
MAX_DESCRIPTORS = 8
# Received descriptors are moved up here before they get their final numbers.
FIRST_SPARE = 100


def main() -> None:
    """Serve orders until the host closes its end."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    while True:
        packet, descriptors, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, MAX_DESCRIPTORS)
        if not packet:
            return
        order = json.loads(packet)
        code = prepare(order["argv"][0]) if order["warm"] else None
        pid = spawn(order, descriptors, code)
        for descriptor in descriptors:
            os.close(descriptor)
        orders.send(str(pid).encode())


@functools.cache
def prepare(path: str) -> CodeType:
    """Import what every worker needs, once; returns the code of the worker's file."""
    import torch.utils.flop_counter  # noqa: F401

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
    c_library = ctypes.CDLL(None)
    if hasattr(c_library, "malloc_trim"):
        c_library.malloc_trim(0)


def spawn(order: dict[str, Any], descriptors: list[int], code: CodeType | None) -> int:
    """Fork a worker that is no child of this process; returns its process id."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        parent = os.getpid()
        worker = os.fork()
        if worker == 0:
            become(order, descriptors, code, parent)
        os.write(writer, str(worker).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    with open(reader) as text:
        return int(text.read())


def become(
    order: dict[str, Any], descriptors: list[int], code: CodeType | None, parent: int
) -> NoReturn:
    """Turn this fork into the worker."""
    while os.getppid() == parent:  # a worker that asks to die with its parent means the host
        time.sleep(0.0002)
    os.setsid()
    place(descriptors)
    os.chdir(order["folder"])
    os.sched_setaffinity(0, order["cores"])
    for kind, value in order["limits"].items():
        resource.setrlimit(int(kind), (value, value))
    if code is None:
        os.execve(sys.executable, [sys.executable, *order["argv"]], order["env"])
    os.environ.clear()
    os.environ.update(order["env"])
    random.seed()
    sys.argv = order["argv"]
    run(code)


def place(descriptors: list[int]) -> None:
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
