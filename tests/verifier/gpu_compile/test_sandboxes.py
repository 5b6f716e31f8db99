"""Tests that every sandbox has Triton, its assembler, and folders for their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.kernels.triton import TRITON
from kernelwright.sandbox.machine import Machine
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from tests.honest.corpus import library_source
from tests.sandbox.kit import opened
from tests.verifier import kit


@pytest.mark.parametrize("kind", ["docker", "bwrap", "process"])
def test_gpu_kernels_are_interpreted_and_compiled_in_it(kind: str, tmp_path: Path) -> None:
    candidate = kit.candidate(library_source(TRITON, "cumsum"), "triton")
    task = load_task("cumsum", {"ROWS": 2, "COLS": 300})
    with opened(kind) as sandbox, Reference(task, Machine(sandbox, 1, "cpu"), 7) as reference:
        found = Judge(reference, tmp_path).evaluate(candidate, "standard")
    assert found.accepted, found.reason
    assert found.evidence is not None and len(found.evidence.facts) == 3
