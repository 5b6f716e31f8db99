"""The Docker engine: how it is found and asked, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from kernelwright.errors import InfrastructureError, PrerequisiteError

TIMEOUT_S = 60
BUILD_HINT = "build it with `kernelwright sandbox build`"
# Podman's socket speaks the same language.
PODMAN_SOCKETS = ("/run/podman/podman.sock",)


def connect() -> docker.DockerClient:
    """Return a client of the engine at DOCKER_HOST, Docker's own socket, or Podman's.

    Raises:
        PrerequisiteError: none answers, or it may not be asked.
    """
    try:
        return _answering(docker.from_env(timeout=TIMEOUT_S))
    except DockerException as error:
        for socket in PODMAN_SOCKETS:
            if Path(socket).exists():
                with unavailable():
                    return _answering(docker.DockerClient(f"unix://{socket}", timeout=TIMEOUT_S))
        raise _no_engine(error) from error


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn an engine's silence into a PrerequisiteError."""
    try:
        yield
    except DockerException as error:
        raise _no_engine(error) from error


def _answering(client: docker.DockerClient) -> docker.DockerClient:
    client.ping()
    return client


def _no_engine(error: DockerException) -> PrerequisiteError:
    text = str(error)
    if "Permission denied" in text:
        hint = "join the group `docker`, or run as root"
        return PrerequisiteError("no permission to use the Docker engine's socket", hint=hint)
    hint = "start it (`systemctl start docker`), or use --sandbox bwrap"
    return PrerequisiteError(f"no Docker engine answers: {text}", hint=hint)


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Turn what goes wrong with the engine into errors that are no candidate's fault."""
    try:
        yield
    except ImageNotFound as error:
        raise PrerequisiteError(f"cannot {doing}: the image is missing", hint=BUILD_HINT) from error
    except (APIError, DockerException, requests.RequestException) as error:
        words = error.explanation if isinstance(error, APIError) else str(error)
        raise InfrastructureError(f"cannot {doing}: {words}") from error
