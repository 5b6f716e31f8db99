"""The provenance of a result: the commit of the working folder, and versions of packages."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "kernelwright",
    "torch",
    "langgraph",
    "openai",
    "anthropic",
    "optuna",
    "pydantic",
    "triton",
)


def git_state(but: str = "") -> tuple[str | None, bool | None]:
    """Return the commit of the working folder's repository, and whether it has changes.

    Both are None outside a repository.

    Args:
        but: a folder in which changes do not count.
    """
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--", ".", *([f":!{but}"] if but else []))
    return commit, None if commit is None or status is None else bool(status)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def package_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
