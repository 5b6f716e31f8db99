"""A command in a process that was forked from one with everything imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import torch

from kernelwright.cli.app import main
from kernelwright.verifier.levels import EFFORTS

BRIEF = "BRIEF_PROOF"
"""Variable with which `strict` is brief, for tests of what surrounds a proof."""
BRIEF_PROOF = {"uses_s": 0.0, "workers": 2, "most_workers": 2}


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    cores: Set[int],
    written: tuple[Path, Path],
) -> None:
    """Run a command in this process until it ends, with its output in two files.

    Args:
        cores: the CPUs that the command may use.
        written: the files for stdout and stderr.
    """
    for descriptor, path in zip((1, 2), written, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))  # torch's default where it is imported on these cores
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if BRIEF in environment:
        EFFORTS["strict"] = EFFORTS["strict"].model_copy(update=BRIEF_PROOF)
    sys.argv = ["kernelwright", *arguments]
    main()
