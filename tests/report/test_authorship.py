"""The label of a file is what backend and rules know, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from kernelwright.report.authorship import authorship
from kernelwright.schema import Flag
from tests.store import samples

COMPILED = "torch.compile with other options, not a kernel"
REWRITTEN = "PyTorch code rewritten for torch.compile, not a kernel of its own"
BESIDE = "a mixture: a C++ kernel, and work of torch's own operators"
MOSTLY = "a mixture: a C++ kernel, and most of the time in torch's own operators"
BY_COMPILER = "a mixture: a C++ kernel, and work of torch's compiler"
PLAIN = "plain PyTorch: torch's own operators, no kernel"


@pytest.mark.parametrize(
    ("backend", "rules", "changes", "short", "words"),
    [
        ("cpp", (), {}, "C++ kernel", "a C++ kernel"),
        ("triton", ("threads-left",), {}, "Triton kernel", "a Triton kernel"),
        ("cpp", ("library-call",), {}, "mixture", BESIDE),
        ("cpp", ("library-call", "torch-does-the-work"), {}, "mixture", MOSTLY),
        ("cpp", ("torch-compile",), {}, "mixture", BY_COMPILER),
        ("inductor", ("torch-compile",), {"compiled": "options"}, "torch.compile", COMPILED),
        ("inductor", ("torch-compile",), {}, "torch.compile", REWRITTEN),
        ("torch", (), {}, "plain PyTorch", PLAIN),
    ],
)
def test_a_file_is_called_what_is_known_of_it(
    backend: str, rules: tuple[str, ...], changes: dict[str, Any], short: str, words: str
) -> None:
    made = samples.candidate("# text\n", backend)
    flags = tuple(Flag(rule=rule, severity="info", evidence="line 1") for rule in rules)
    assert authorship(samples.evaluation(made, flags=flags, **changes)) == (short, words)
