"""The kind of thing that a file is, by its backend and by what the rules found in it."""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.report.format import backend
from kernelwright.schema import Evaluation


class Authorship(NamedTuple):
    """The kind of thing that a file is."""

    short: str
    """Words for a column of a table."""
    words: str
    """One sentence, without its full stop."""


def authorship(evaluation: Evaluation) -> Authorship:
    """Return the kind of thing that a judged file is; it claims no more than is known.

    A kernel is called one only where no rule found torch or its compiler at work beside it. The
    text shows that at any level, the share of the time from `standard` up.
    """
    if evaluation.compiled is not None:
        return Authorship("torch.compile", evaluation.compiled_words.removeprefix("this is "))
    if evaluation.backend == "inductor":
        return Authorship(
            "torch.compile", "PyTorch code rewritten for torch.compile, not a kernel of its own"
        )
    if evaluation.backend == "torch":
        return Authorship("plain PyTorch", "plain PyTorch: torch's own operators, no kernel")
    kernel, rules = backend(evaluation.backend), {flag.rule for flag in evaluation.flags}
    others = "torch's compiler" if "torch-compile" in rules else "torch's own operators"
    if "torch-does-the-work" in rules:
        return Authorship("mixture", f"a mixture: a {kernel}, and most of the time in {others}")
    if rules & {"library-call", "torch-compile"}:
        return Authorship("mixture", f"a mixture: a {kernel}, and work of {others}")
    return Authorship(kernel, f"a {kernel}")
