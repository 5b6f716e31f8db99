"""Answers that do none of a task's work, and whether they would be accepted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from kernelwright.schema import ToleranceName
from kernelwright.verifier.audit.probe import Result, WorkloadProbe
from kernelwright.verifier.audit.tensors import close, finite_count, finite_mean, spread, wide
from kernelwright.verifier.reference.distributions import distribute
from kernelwright.verifier.reference.oracle import expect
from kernelwright.verifier.reference.workload import Call
from kernelwright.verifier.tolerance import ULPS, ULPS_HALF
from kernelwright.verifier.worker.faults import WorkerFault

ZEROS, CONSTANT, INPUT = "zeros-accepted", "constant-accepted", "input-accepted"
STALE, ROWS = "stale-accepted", "rows-accepted"
# In units of the allowed error: a spread below this tells little apart.
LEAST_SPREAD = 2.0


class Shortcut(NamedTuple):
    """An answer that could be given for a result without the work."""

    rule: str
    words: str
    make: Callable[[int], torch.Tensor]
    """Function that makes the answer, by the number of the sample."""
    source: int | None = None
    """The input that it is a copy of."""


class Accepted(NamedTuple):
    """The first shortcut that would be taken for a result."""

    result: Result
    shortcut: Shortcut
    by: ToleranceName


class ShortcutProbe(WorkloadProbe):
    """A workload, and the shortcuts that could be given instead of its results."""

    @functools.cached_property
    def accepted(self) -> list[Accepted | None]:
        """For every result, the first shortcut without the work that would be accepted."""
        return [self._first_accepted(result) for result in self.results]

    def _first_accepted(self, result: Result) -> Accepted | None:
        shortcuts = list(_shortcuts(self, result))
        for shortcut in shortcuts:
            if all(_passes(shortcut, result, by) for by in {"default", self.tolerance}):
                return Accepted(result, shortcut, "default")
        for shortcut in shortcuts:
            if _passes(shortcut, result, "kernelbench"):
                return Accepted(result, shortcut, "kernelbench")
        return None

    @functools.cached_property
    def has_shortcut(self) -> bool:
        """Whether all results together could be had without the work."""
        decisive = [a is not None and self.decides(a) for a in self.accepted]
        return bool(decisive) and all(decisive)

    def decides(self, accepted: Accepted) -> bool:
        """Whether the judge has nothing against the shortcut.

        A mean along a dimension still has to be computed. A relu of positive numbers is a copy, and
        a clamp of small ones; but the judge has inputs of zero mean and large ones at all levels.
        """
        rule = accepted.shortcut.rule
        if accepted.by != "default" or rule == ROWS:
            return False
        return rule != INPUT or self._is_copy_of_any(accepted)

    def _is_copy_of_any(self, accepted: Accepted) -> bool:
        output, source = accepted.result.output, accepted.shortcut.source
        if output is None or source is None:
            return True
        oracle, inputs = self.live.instance, self.drawn[0]
        for distribution in ("zero_mean", "large"):
            inputs = distribute(inputs, distribution, self.seed)
        try:
            expected = expect(oracle, self.prepared, Call(inputs, self.seed))
        except WorkerFault:
            self.recover()
            return True
        value, own = expected.values.tensors[output], inputs.tensors[source]
        golden = None if expected.golden is None else expected.golden.tensors[output]
        return value.numel() == own.numel() and close(
            own.reshape(value.shape), value, golden, "default"
        )


def _shortcuts(probe: WorkloadProbe, result: Result) -> Iterator[Shortcut]:
    first = result.values[0]
    yield Shortcut(ZEROS, "all zeros", lambda n: torch.zeros_like(result.values[n]))
    constant = _constant(first)
    words = f"the constant {complex(constant) if first.is_complex() else float(constant):.4g}"
    yield Shortcut(CONSTANT, words, lambda n: constant.expand(first.shape))
    for index, tensor in enumerate(probe.drawn[0].tensors):
        if tensor.numel() == first.numel() and tensor.dtype == first.dtype:
            yield Shortcut(INPUT, f"input {index}", _input(probe, index, first.shape), index)
    if probe.inputs_vary:
        yield Shortcut(STALE, "the result of other inputs", lambda n: result.values[n - 1])
    if first.is_floating_point() and not has_tiny_range(result):
        for dim, size in enumerate(first.shape):
            if size > 1:
                yield Shortcut(ROWS, f"its mean along dimension {dim}", _means(result, dim))


def _constant(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_floating_point() or tensor.is_complex():
        return finite_mean(tensor).to(tensor.dtype)
    return tensor.flatten()[0]


def _input(probe: WorkloadProbe, index: int, shape: torch.Size) -> Callable[[int], torch.Tensor]:
    return lambda n: probe.drawn[n].tensors[index].reshape(shape)


def _means(result: Result, dim: int) -> Callable[[int], torch.Tensor]:
    def make(number: int) -> torch.Tensor:
        value = result.values[number]
        return wide(value).mean(dim, keepdim=True).to(value.dtype).expand(value.shape)

    return make


def _passes(shortcut: Shortcut, result: Result, tolerance: ToleranceName) -> bool:
    triples = enumerate(zip(result.values, result.goldens, strict=True))
    return all(close(shortcut.make(n), value, golden, tolerance) for n, (value, golden) in triples)


def has_tiny_range(result: Result) -> bool:
    """Whether a result differs from its mean by little more than what is allowed."""
    value = result.values[0]
    if not value.is_floating_point() or finite_count(value) < 2:
        return False
    precision = torch.finfo(value.dtype)
    allowed = (ULPS if precision.bits > 16 else ULPS_HALF) * precision.eps
    mean, deviation = spread(value)
    return deviation < LEAST_SPREAD * allowed * mean
