"""Flags on which code does the work, from samples of a CPU's program counters."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kernelwright.schema import Flag, Policy
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.rule import RuleId
from kernelwright.verifier.worker.sampler import CodeSamples

# Policy `custom`: at least half of the computing samples must lie in code of the candidate.
LEAST_CUSTOM = 0.5
# Two standard deviations: what is refused is refused for less than half, not for bad luck.
DEVIATIONS = 2.0


def idle_flags(policy: Policy) -> Iterator[Flag]:
    """Yield the flag for a call that launches no kernel of the candidate's."""
    rule: RuleId = "no-custom-code" if policy == "custom" else "torch-does-the-work"
    yield flag(rule, "a call launches no kernel of the candidate")


def attribution_flags(code_samples: CodeSamples, policy: Policy) -> Iterator[Flag]:
    """Yield the flags that the samples mean under a policy."""
    share, count = code_samples.custom_share, code_samples.computing
    if share is None:
        if policy == "custom":
            yield flag("engagement-unknown", f"only {count} samples of its threads computing")
        return
    words = f"{share:.0%} of {count} samples of its computing threads lie in code of the candidate"
    spread = DEVIATIONS * math.sqrt(LEAST_CUSTOM * (1 - LEAST_CUSTOM) / count)
    if policy == "custom" and share < LEAST_CUSTOM - spread:
        yield flag("no-custom-code", words)
    elif share < LEAST_CUSTOM:
        yield flag("torch-does-the-work", words)
