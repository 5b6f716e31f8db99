"""The form of a kind of task."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Protocol


class TaskKind(Protocol):
    """A kind of task: the names that its files define, and their check.

    Its adapter gives the worker a module to build and call; to the judge everything is one. Our
    adapters lie in `verifier/inside/kinds/`.
    """

    name: str
    """Name of the kind, and of its adapter."""
    reference: str
    """Class in a reference's file: the worker builds an instance of it."""
    candidate: str
    """Class in a candidate's file."""
    inputs: str
    """Function of a reference's file that returns a fresh set of inputs."""
    constructor_arguments: str
    """Function of a reference's file that returns the constructor's arguments."""
    constructor_seed: int
    """Seed of torch while an instance is built."""
    adapter: Path
    """File that the worker gets a module from: what builds an instance, and makes its inputs."""
    hint: str
    """Words on what a file of this kind defines, in one sentence."""
    contract: str
    """Words on what a candidate's file has to define, as a model is told."""
    request: str
    """Words that ask for a candidate, for a prompt without a workflow around it."""

    def may_be(self, text: str) -> bool:
        """Return whether a file's text looks like a reference of this kind; it isn't parsed."""

    def check(self, tree: ast.Module, path: Path) -> None:
        """Check that a reference's file defines what it must.

        Raises:
            TaskError: something is missing.
        """
