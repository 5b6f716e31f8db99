"""The image: an interpreter with torch and a compiler, built by `kernelwright sandbox build`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import docker

from kernelwright.errors import InfrastructureError, UsageError
from kernelwright.sandbox.docker.engine import faults

RECIPE = Path(__file__).parent.parent / "image" / "Dockerfile"
IMAGE = "kernelwright-sandbox"
PYTHON = "/opt/kernelwright/bin/python"
# Variant -> base image, and where its torch comes from besides the package index.
VARIANTS = {
    "cpu": ("debian:bookworm-slim", "https://download.pytorch.org/whl/cpu"),
    "cuda": ("nvidia/cuda:13.0.1-devel-ubuntu24.04", "https://download.pytorch.org/whl/cu130"),
}


def tag(variant: str) -> str:
    """Return the image's name for these versions of torch and Triton."""
    return f"{IMAGE}:{variant}-torch{_torch()}-triton{version('triton')}"


def _torch() -> str:
    return version("torch").partition("+")[0]


def build(
    client: docker.DockerClient,
    variant: str,
    base: str | None,
    wheels: Path | None,
    say: Callable[[str], None],
) -> str:
    """Build the image; return its name.

    Args:
        base: another base image than the variant's own; one that has Python with venv and a C++
            compiler needs nothing from the network.
        wheels: a folder of wheels to install from, instead of the package index.
        say: is given the engine's output, line by line.

    Raises:
        UsageError: there is no such folder or variant.
        InfrastructureError: the build failed.
    """
    if variant not in VARIANTS:
        raise UsageError(f"unknown variant {variant!r}", hint="cpu or cuda")
    if wheels is not None and not list(wheels.glob("*.whl")):
        raise UsageError(
            f"no wheels in {wheels}", hint="`pip download torch triton numpy ninja -d FOLDER`"
        )
    own_base, index = VARIANTS[variant]
    arguments = {
        "BASE": base or own_base,
        "TORCH": _torch(),
        "TRITON": version("triton"),
        "NUMPY": version("numpy"),
        "NINJA": version("ninja"),
        "INDEX": index,
    }
    name = tag(variant)
    with tempfile.TemporaryDirectory() as context, faults("build the image"):
        shutil.copy(RECIPE, context)
        _gather(wheels, Path(context) / "wheels")
        lines = client.api.build(
            path=context, tag=name, buildargs=arguments, decode=True, rm=True, forcerm=True
        )
        _follow(lines, say)
    return name


def _gather(wheels: Path | None, folder: Path) -> None:
    folder.mkdir()
    for wheel in wheels.glob("*.whl") if wheels else ():
        shutil.copy(wheel, folder)


def _follow(lines: Iterator[dict[str, Any]], say: Callable[[str], None]) -> None:
    for line in lines:
        if "error" in line:
            raise InfrastructureError(f"cannot build the image: {line['error'].strip()}")
        for text in str(line.get("stream", "")).splitlines():
            say(text)
