"""Whose containers are whose: those of processes that are gone are swept away."""

from __future__ import annotations

import os
from pathlib import Path

import docker

from kernelwright.sandbox.docker.container import OWNER
from kernelwright.sandbox.docker.engine import faults
from kernelwright.sandbox.strays import START, stat_fields

BOOT = Path("/proc/sys/kernel/random/boot_id")


def label() -> str:
    """This process, unlike any other of this machine at any time."""
    return _label(os.getpid()) or ""


def _label(pid: int) -> str | None:
    fields = stat_fields(pid)
    return None if fields is None else f"{BOOT.read_text().strip()}/{pid}/{fields[START]}"


def is_alive(owner: str) -> bool:
    """Whether the process of a label still runs here."""
    pid = owner.split("/")[1:2]
    return bool(pid) and pid[0].isdigit() and _label(int(pid[0])) == owner


def sweep(client: docker.DockerClient) -> int:
    """Remove containers whose owners are gone; returns how many."""
    swept = 0
    with faults("remove containers of earlier runs"):
        for container in client.containers.list(all=True, filters={"label": OWNER}):
            if not is_alive(container.labels[OWNER]):
                container.remove(force=True)
                swept += 1
    return swept
