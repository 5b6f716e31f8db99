"""Static rules that are names and patterns alone; see `patterns.py`."""

from __future__ import annotations

from kernelwright.verifier.integrity.rule import named_rule

named_rule(
    "frame-walk",
    "suspicious",
    "Looks at its callers",
    "Stack frames and the garbage collector's lists lead to what the caller holds: "
    "expected values, or which phase this is. The worker holds no expected values.",
    catches="H22 H32",
)
named_rule(
    "torch-compile",
    "info",
    "Uses torch.compile or torch.jit",
    "The compiler is the author of the code that runs. A label, not a fault.",
    catches="H07 H08",
)
named_rule(
    "exit-call",
    "suspicious",
    "Can end or interrupt its process",
    "Exits, signals and kill are how a candidate ends a check early. An early end is "
    "never a success here.",
    catches="H53 H56",
)
