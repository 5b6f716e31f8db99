"""Findings of the audit's rules on one workload."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch

from kernelwright.verifier.audit.probe import SAMPLES
from kernelwright.verifier.audit.shortcuts import (
    INPUT,
    STALE,
    Accepted,
    ShortcutProbe,
    has_tiny_range,
)
from kernelwright.verifier.audit.tensors import differ, finite_count, spread, wide
from kernelwright.verifier.inside import train_mode as train_mode_tool
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed, specs

AuditSeverity = Literal["invalid", "warning"]
Found = Iterator[tuple[AuditSeverity, str]]

# Most inputs, or parameters, that are changed one at a time; where there are more, none is.
MOST_PROBED = 16
PROBE_S = 10.0
OVERHEAD_US, OVERHEAD_CALLS = 15.0, 3.0
# A call that takes longer is not mostly overhead anywhere.
SURELY_WORK_US = 1000.0
SLOW_S = 10.0


def shapes(probe: ShortcutProbe) -> Found:
    """Find shapes, or numbers besides the tensors, that are others for other inputs."""
    like = probe.prepared.example_inputs
    if any((d.tree, specs(d)) != (like.tree, specs(like)) for d in probe.drawn):
        yield "invalid", "get_inputs() returns other shapes, types or numbers at every call"
        return
    found = [sample.expected.values for sample in probe.samples]
    for values in found:
        if specs(values) != probe.prepared.specs:
            shapes = [list(shape) for _, shape in specs(values)]
            before = [list(shape) for _, shape in probe.prepared.specs]
            yield "invalid", f"outputs of shapes {before} and, for other inputs, {shapes}"
            return
    if any(values.tree != found[0].tree for values in found):
        yield "warning", "numbers besides the tensors are others for other inputs"


def nonfinite(probe: ShortcutProbe) -> Found:
    """Find NaN or infinite values."""
    tensors = [t for sample in probe.samples for t in sample.expected.values.tensors]
    total = sum(tensor.numel() for tensor in tensors)
    wrong = total - sum(finite_count(tensor) for tensor in tensors)
    if wrong:
        severity: AuditSeverity = "invalid" if wrong == total else "warning"
        yield severity, f"{wrong} of {total} values on {SAMPLES} input sets are NaN or infinite"


def fixed_inputs(probe: ShortcutProbe) -> Found:
    """Find inputs that are the same for every seed."""
    if not probe.inputs_vary:
        yield "warning", f"get_inputs() returns the same values for {SAMPLES} seeds"


def no_reaction(probe: ShortcutProbe) -> Found:
    """Find outputs that are the same for other inputs."""
    if not probe.reacts and probe.results:
        yield "invalid", f"{SAMPLES} different input sets give the same output, bit by bit"


def accepted(rule: str) -> Callable[[ShortcutProbe], Found]:
    """Return a function that finds results for which the rule's shortcut would be accepted."""

    def find(probe: ShortcutProbe) -> Found:
        for accepted in probe.accepted:
            if accepted is None or accepted.shortcut.rule != rule:
                continue
            if rule == STALE and not probe.reacts:
                continue  # said already
            words = _accepted_words(accepted)
            if rule == INPUT and accepted.by == "default" and not probe.decides(accepted):
                words += ", though not on the judge's large inputs of both signs"
            yield "invalid" if probe.has_shortcut else "warning", words

    return find


def _accepted_words(accepted: Accepted) -> str:
    result, shortcut, by = accepted
    mean, deviation = spread(result.values[0])
    only = ", but only with --tolerance kernelbench" if by == "kernelbench" else ""
    values = f"|mean| {mean:.3g}, spread {deviation:.3g}"
    return f"{shortcut.words} would be accepted as {result.name} ({values}){only}"


def tiny_range(probe: ShortcutProbe) -> Found:
    """Find results with values that hardly differ."""
    for result, accepted in zip(probe.results, probe.accepted, strict=True):
        if has_tiny_range(result) and (accepted is None or accepted.by != "default"):
            mean, deviation = spread(result.values[0])
            words = f"{result.name} differs by {deviation:.3g} from a mean of {mean:.3g}"
            yield "warning", f"{words}, which is about the error that is allowed"


def uses_rng(probe: ShortcutProbe) -> Found:
    """Find calls that draw random numbers."""
    if probe.prepared.traits.uses_rng:
        words = "a call draws random numbers: only the same stream of them gives the same values"
        yield "warning", words


def mutates_state(probe: ShortcutProbe) -> Found:
    """Find state that calls change."""
    traits = probe.prepared.traits
    if traits.depends_on_history:
        yield "warning", "what a call returns depends on earlier calls"
    elif traits.mutates_state:
        yield "warning", "a call changes parameters or buffers, which have to be right, too"


def train_mode(probe: ShortcutProbe) -> Found:
    """Find parts in train mode that compute something else in eval mode."""
    instance = probe.live.instance
    found = instance.client.tool(Path(train_mode_tool.__file__), "parts", key=instance.key)
    if isinstance(found, list) and found:
        words = f"{', '.join(map(str, found))} in train mode"
        yield "warning", f"{words}; put self.eval() into __init__ if you serve in eval mode"


def neutral_weights(probe: ShortcutProbe) -> Found:
    """Find weights that are all zeros or ones."""
    found = [f"{n!r} is all {value}" for n, t in probe.weights.items() for value in _neutral(t)]
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        yield "warning", f"{', '.join(found[:4])}{more}"


def _neutral(tensor: torch.Tensor) -> list[int]:
    return [value for value in (0, 1) if bool((wide(tensor) == value).all())]


def overhead(probe: ShortcutProbe) -> Found:
    """Find calls that are mostly overhead."""
    if probe.prepared.workload.role != "bench":
        return
    call_us = probe.call_s * 1e6
    if call_us > SURELY_WORK_US:
        return
    empty_us = probe.empty_call_s() * 1e6
    if call_us < max(OVERHEAD_US, OVERHEAD_CALLS * empty_us):
        yield "warning", f"a call takes {call_us:.1f} us, one that does nothing {empty_us:.1f} us"


def slow(probe: ShortcutProbe) -> Found:
    """Find calls that take long."""
    if probe.prepared.workload.role == "bench" and probe.call_s > SLOW_S:
        yield "warning", f"a call takes {probe.call_s:.1f} s"


def dead_inputs(probe: ShortcutProbe) -> Found:
    """Find inputs without effect."""
    (own, other), count = probe.drawn[:2], len(probe.prepared.example_inputs.tensors)
    if not 1 < count <= MOST_PROBED or not probe.reacts or probe.has_shortcut:
        return
    for index in _within_budget(count):
        if differ(own.tensors[index], other.tensors[index]):
            tensors = list(own.tensors)
            tensors[index] = other.tensors[index]
            if _survives_unchanged(probe, {}, TensorTree(own.tree, tensors)):
                yield "warning", f"another input {index} leads to the same output"


def dead_parameters(probe: ShortcutProbe) -> Found:
    """Find parameters without effect."""
    weights = list(probe.weights.items())
    if len(weights) > MOST_PROBED or not probe.reacts or probe.has_shortcut:
        return
    for index in _within_budget(len(weights)):
        name, tensor = weights[index]
        if _survives_unchanged(probe, {name: _noisy(tensor)}, probe.drawn[0]):
            yield "warning", f"another {name!r} leads to the same output"


def _within_budget(count: int) -> Iterator[int]:
    end = time.monotonic() + PROBE_S
    for index in range(count):
        if time.monotonic() < end:
            yield index


def _survives_unchanged(
    probe: ShortcutProbe, weights: dict[str, torch.Tensor], inputs: TensorTree
) -> bool:
    """Whether the reference takes these weights and inputs, and returns what it did before."""
    try:
        probe.restore()
        probe.live.instance.set_state(packed(weights))
        same = probe.same_result(inputs)
        probe.restore()
    except WorkerFault:
        probe.recover()
        return False
    return same


def _noisy(tensor: torch.Tensor) -> torch.Tensor:
    noise = torch.empty(tensor.shape).normal_(generator=torch.Generator().manual_seed(0))
    values = wide(tensor)
    scale = float(values.square().mean().sqrt()) or 1.0
    return (values + scale * noise).to(tensor.dtype)
