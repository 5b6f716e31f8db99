"""The task audit: whether a verdict on a task would mean anything, asked before money is spent.

A task is unsound when an answer that does none of its work would be accepted: zeros, a constant, an
input, or what belongs to other inputs. The reference runs in its own workers, a few calls for every
workload; the answers are made on this side and compared by the judge's own rule. A finding is
`invalid` where a verdict would mean nothing, else a `warning`.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch

from kernelwright.errors import InvalidReferenceError
from kernelwright.schema import ToleranceName, Workload
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.comparison import ULPS, ULPS_HALF, compare
from kernelwright.verifier.expected import Expected, Prepared, expect
from kernelwright.verifier.inputs import call_seed, distribute
from kernelwright.verifier.reference import CONSTRUCTOR_SEED, Reference, invalid, stage
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.shared import Image, plan_layout
from kernelwright.verifier.values import Values, packed, same_bits, specs

Severity = Literal["invalid", "warning"]
Found = Iterator[tuple[Severity, str]]

SAMPLES = 3
# From the seeds of cases: what is drawn here is never judged on.
AUDIT_OFFSET = 800_000
# Inputs, or parameters, that are changed one at a time. Of more, none is.
MOST_PROBED = 16
PROBE_S = 10.0
# Where so many of a result's values are refused already, the others need no look.
THIN = 2**15
# Of the allowed error: a spread below this tells little apart.
LEAST_SPREAD = 2.0
OVERHEAD_US, OVERHEAD_CALLS = 15.0, 3.0
# A call that takes longer is not mostly overhead anywhere.
SURELY_WORK_US = 1000.0
SLOW_S = 10.0
BLOCKS, BLOCK_S, BLOCK_CALLS, BLOCK_BYTES = 5, 0.002, 200, 64 * 2**20
EMPTY_KEY = "audit/empty"
EMPTY = """import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return torch.neg(x)
"""


class Finding(NamedTuple):
    """Something that is wrong with a task."""

    rule: str
    severity: Severity
    workload: str
    """Its name; empty where the task has none for this machine."""
    evidence: str


class Sample(NamedTuple):
    """The reference on one set of its own inputs."""

    inputs: Values
    expected: Expected


class Result(NamedTuple):
    """One tensor that has to be right, on every sample."""

    name: str
    output: int | None
    """Its index among the outputs; None for an input that the reference changes."""
    values: list[torch.Tensor]
    goldens: list[torch.Tensor | None]


class Answer(NamedTuple):
    """What could be given for a result without the work."""

    rule: str
    words: str
    make: Callable[[int], torch.Tensor]
    """By the number of the sample."""
    source: int | None = None
    """The input that it is a copy of."""


class Accepted(NamedTuple):
    """The first answer that would be taken for a result."""

    result: Result
    answer: Answer
    by: ToleranceName


class Probe:
    """One prepared workload as the rules see it; what costs calls is made when it is asked for.

    Raises:
        WorkerFault: from every property, where the reference fails.
    """

    def __init__(self, reference: Reference, prepared: Prepared, tolerance: ToleranceName) -> None:
        self.reference = reference
        self.prepared = prepared
        self.tolerance = tolerance
        self.key = prepared.workload.name
        # The same for all samples: other random numbers are no reaction to the inputs.
        self.seed = call_seed(reference.seed + AUDIT_OFFSET)

    @functools.cached_property
    def drawn(self) -> list[Values]:
        """Input sets of different seeds."""
        first, oracle = self.reference.seed + AUDIT_OFFSET, self.reference.oracle
        return [oracle.make_inputs(self.key, first + number) for number in range(SAMPLES)]

    @functools.cached_property
    def samples(self) -> list[Sample]:
        """The reference's values on them."""
        oracle, prepared = self.reference.oracle, self.prepared
        return [Sample(drawn, expect(oracle, prepared, drawn, self.seed)) for drawn in self.drawn]

    @functools.cached_property
    def results(self) -> list[Result]:
        """Outputs, and inputs that the reference changes, where there are values to compare."""
        outputs = [_output(self.samples, index) for index in range(len(self.prepared.specs))]
        changed = [_input_left(self.samples, i) for i in _changed_inputs(self.samples[0])]
        found = [*outputs, *changed]
        return [r for r in found if all(_finite(value).numel() for value in r.values)]

    @functools.cached_property
    def inputs_vary(self) -> bool:
        """Whether the inputs are others for other seeds."""
        return not all(same_bits(self.drawn[0], drawn) for drawn in self.drawn[1:])

    @functools.cached_property
    def reacts(self) -> bool:
        """Whether other inputs lead to other bits, as far as can be told."""
        first, *others = (sample.expected.values for sample in self.samples)
        return not self.inputs_vary or not all(same_bits(first, other) for other in others)

    @functools.cached_property
    def accepted(self) -> list[Accepted | None]:
        """For every result, the first answer without the work that would be accepted."""
        return [self._first_accepted(result) for result in self.results]

    def _first_accepted(self, result: Result) -> Accepted | None:
        answers = list(_answers(self, result))
        for answer in answers:
            if all(_passes(answer, result, by) for by in {"default", self.tolerance}):
                return Accepted(result, answer, "default")
        for answer in answers:
            if _passes(answer, result, "kernelbench"):
                return Accepted(result, answer, "kernelbench")
        return None

    @functools.cached_property
    def is_answered(self) -> bool:
        """Whether all results together could be had without the work."""
        decisive = [a is not None and self.decides(a) for a in self.accepted]
        return bool(decisive) and all(decisive)

    def decides(self, accepted: Accepted) -> bool:
        """Whether the judge has nothing against the answer.

        A mean along a dimension still has to be computed. A relu of positive numbers is a copy, and
        a clamp of small ones; but the judge has inputs of zero mean and large ones at all levels.
        """
        rule = accepted.answer.rule
        if accepted.by != "default" or rule == ROWS:
            return False
        return rule != INPUT or self._is_copy_of_any(accepted)

    def _is_copy_of_any(self, accepted: Accepted) -> bool:
        output, source = accepted.result.output, accepted.answer.source
        if output is None or source is None:
            return True
        oracle, inputs = self.reference.oracle, self.drawn[0]
        for distribution in ("zero_mean", "large"):
            inputs = distribute(inputs, distribution, self.seed)
        try:
            expected = expect(oracle, self.prepared, inputs, self.seed)
        except WorkerFault:
            self.recover()
            return True
        value, own = expected.values.tensors[output], inputs.tensors[source]
        golden = None if expected.golden is None else expected.golden.tensors[output]
        return value.numel() == own.numel() and _close(
            own.reshape(value.shape), value, golden, "default"
        )

    @functools.cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """Floating parameters and buffers that a call leaves as they are."""
        before = self.prepared.state.unpacked()
        expected = self.samples[0].expected.state
        after = before if expected is None else expected.unpacked()
        return {
            name: tensor
            for name, tensor in before.items()
            if tensor.is_floating_point() and tensor.numel() and not _differ(tensor, after[name])
        }

    def same_result(self, inputs: Values) -> bool:
        """Whether other inputs, or the weights set by now, give what sample 0 has."""
        oracle, expected = self.reference.oracle, self.samples[0].expected
        stage(oracle, self.prepared, [inputs])
        seeds = [self.seed] if self.prepared.nature.draws else None
        found = oracle.result(self.key, oracle.run(self.key, [0], seeds), 0)
        if found.tree != expected.values.tree or specs(found) != self.prepared.specs:
            return False
        goldens = expected.golden.tensors if expected.golden else [None] * len(found.tensors)
        triples = zip(found.tensors, expected.values.tensors, goldens, strict=True)
        return all(compare(*triple).reason is None for triple in triples)

    def restore(self) -> None:
        """Set parameters and buffers back."""
        self.reference.oracle.set_state(self.key, self.prepared.state)

    def recover(self) -> None:
        """A new oracle, after one that did not survive what it is not made for."""
        self.reference.close()
        self.reference.prepare(self.prepared.workload)

    @functools.cached_property
    def call_s(self) -> float:
        """Median time of an eager call, in the worker that will be timed."""
        module = self.reference.baseline(self.prepared, "eager")
        assert module is not None  # only a compiled baseline may be missing
        stage(module, self.prepared, [self.drawn[0]])
        seconds = _call_s(module, self.key, self.samples[0].expected.values.nbytes)
        if self.prepared.nature.stateful:
            module.set_state(self.key, self.prepared.state)
        return seconds

    def empty_call_s(self) -> float:
        """Median time of a module that negates one number."""
        oracle, inputs = self.reference.oracle, packed([torch.zeros(1)])
        path = oracle.write("audit_empty.py", EMPTY)
        oracle.load(EMPTY_KEY, path, "Model", CONSTRUCTOR_SEED, packed([]))
        image = Image(plan_layout(inputs, 1))
        image.put(0, inputs)
        oracle.stage(EMPTY_KEY, image.layout)
        image.write(oracle.process.shared)
        return _call_s(oracle, EMPTY_KEY, 4)


def _output(samples: list[Sample], index: int) -> Result:
    goldens = [sample.expected.golden for sample in samples]
    many = len(samples[0].expected.values.tensors) > 1
    return Result(
        f"output {index}" if many else "the output",
        index,
        [sample.expected.values.tensors[index] for sample in samples],
        [None if golden is None else golden.tensors[index] for golden in goldens],
    )


def _input_left(samples: list[Sample], index: int) -> Result:
    left = [s.expected.inputs.tensors[index] for s in samples if s.expected.inputs is not None]
    return Result(f"input {index} after the call", None, left, [None] * len(left))


def _changed_inputs(sample: Sample) -> list[int]:
    if sample.expected.inputs is None:
        return []
    pairs = zip(sample.inputs.tensors, sample.expected.inputs.tensors, strict=True)
    return [index for index, pair in enumerate(pairs) if _differ(*pair)]


def _differ(left: torch.Tensor, right: torch.Tensor) -> bool:
    return not same_bits(Values(None, [left]), Values(None, [right]))


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _finite(tensor: torch.Tensor) -> torch.Tensor:
    wide = _wide(tensor)
    return wide[wide.isfinite()]


def _call_s(module: RemoteModule, key: str, nbytes: int) -> float:
    once = min(module.run(key, [0]).worker_seconds for _ in range(2))
    most = max(1, min(BLOCK_CALLS, BLOCK_BYTES // max(1, nbytes)))
    calls = max(1, min(most, math.ceil(BLOCK_S / max(once, 1e-9))))
    blocks = BLOCKS if once < BLOCK_S else 1
    times = [module.run(key, [0] * calls).worker_seconds / calls for _ in range(blocks)]
    module.drop(key)
    return statistics.median(times)


# -- answers without the work ---------------------------------------------------------------------

ZEROS, CONSTANT, INPUT = "zeros-accepted", "constant-accepted", "input-accepted"
STALE, ROWS = "stale-accepted", "rows-accepted"


def _answers(probe: Probe, result: Result) -> Iterator[Answer]:
    first = result.values[0]
    yield Answer(ZEROS, "all zeros", lambda n: torch.zeros_like(result.values[n]))
    constant = _constant(first)
    words = f"the constant {complex(constant) if first.is_complex() else float(constant):.4g}"
    yield Answer(CONSTANT, words, lambda n: constant.expand(first.shape))
    for index, tensor in enumerate(probe.drawn[0].tensors):
        if tensor.numel() == first.numel() and tensor.dtype == first.dtype:
            yield Answer(INPUT, f"input {index}", _input(probe, index, first.shape), index)
    if probe.inputs_vary:
        yield Answer(STALE, "the result of other inputs", lambda n: result.values[n - 1])
    if first.is_floating_point() and not _has_tiny_range(result):
        for dim, size in enumerate(first.shape):
            if size > 1:
                yield Answer(ROWS, f"its mean along dimension {dim}", _means(result, dim))


def _constant(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_floating_point() or tensor.is_complex():
        return _finite(tensor).mean().to(tensor.dtype)
    return tensor.flatten()[0]


def _input(probe: Probe, index: int, shape: torch.Size) -> Callable[[int], torch.Tensor]:
    return lambda n: probe.drawn[n].tensors[index].reshape(shape)


def _means(result: Result, dim: int) -> Callable[[int], torch.Tensor]:
    def make(number: int) -> torch.Tensor:
        value = result.values[number]
        return _wide(value).mean(dim, keepdim=True).to(value.dtype).expand(value.shape)

    return make


def _passes(answer: Answer, result: Result, tolerance: ToleranceName) -> bool:
    triples = enumerate(zip(result.values, result.goldens, strict=True))
    return all(_close(answer.make(n), value, golden, tolerance) for n, (value, golden) in triples)


def _close(
    own: torch.Tensor, value: torch.Tensor, golden: torch.Tensor | None, tolerance: ToleranceName
) -> bool:
    if value.numel() > 2 * THIN:
        thin = None if golden is None else _thinned(golden)
        if compare(_thinned(own), _thinned(value), thin, tolerance).reason is not None:
            return False
    return compare(own, value, golden, tolerance).reason is None


def _thinned(tensor: torch.Tensor) -> torch.Tensor:
    # An odd step does not stay in one column of a matrix.
    return tensor.reshape(-1)[:: tensor.numel() // THIN | 1]


def _spread(tensor: torch.Tensor) -> tuple[float, float]:
    """Magnitude of the mean, and root mean square of what differs from it."""
    values = _finite(tensor)
    mean = values.mean()
    return float(mean.abs()), float((values - mean).abs().square().mean().sqrt())


def _has_tiny_range(result: Result) -> bool:
    value = result.values[0]
    if not value.is_floating_point() or _finite(value).numel() < 2:
        return False
    precision = torch.finfo(value.dtype)
    allowed = (ULPS if precision.bits > 16 else ULPS_HALF) * precision.eps
    mean, spread = _spread(value)
    return spread < LEAST_SPREAD * allowed * mean


# -- rules ----------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What is looked for, and why."""

    id: str
    severity: str
    title: str
    reason: str
    find: Callable[[Probe], Found] | None
    """None for what shows when the reference is prepared."""


def _shapes(probe: Probe) -> Found:
    like = probe.prepared.like
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


def _nonfinite(probe: Probe) -> Found:
    tensors = [t for sample in probe.samples for t in sample.expected.values.tensors]
    total = sum(tensor.numel() for tensor in tensors)
    wrong = total - sum(_finite(tensor).numel() for tensor in tensors)
    if wrong:
        severity: Severity = "invalid" if wrong == total else "warning"
        yield severity, f"{wrong} of {total} values on {SAMPLES} input sets are NaN or infinite"


def _fixed_inputs(probe: Probe) -> Found:
    if not probe.inputs_vary:
        yield "warning", f"get_inputs() returns the same values for {SAMPLES} seeds"


def _no_reaction(probe: Probe) -> Found:
    if not probe.reacts and probe.results:
        yield "invalid", f"{SAMPLES} different input sets give the same output, bit by bit"


def _accepted(rule: str) -> Callable[[Probe], Found]:
    def find(probe: Probe) -> Found:
        for accepted in probe.accepted:
            if accepted is None or accepted.answer.rule != rule:
                continue
            if rule == STALE and not probe.reacts:
                continue  # said already
            words = _accepted_words(accepted)
            if rule == INPUT and accepted.by == "default" and not probe.decides(accepted):
                words += ", though not on the judge's large inputs of both signs"
            yield "invalid" if probe.is_answered else "warning", words

    return find


def _accepted_words(accepted: Accepted) -> str:
    result, answer, by = accepted
    mean, spread = _spread(result.values[0])
    only = ", but only with --tolerance kernelbench" if by == "kernelbench" else ""
    values = f"|mean| {mean:.3g}, spread {spread:.3g}"
    return f"{answer.words} would be accepted as {result.name} ({values}){only}"


def _tiny_range(probe: Probe) -> Found:
    for result, accepted in zip(probe.results, probe.accepted, strict=True):
        if _has_tiny_range(result) and (accepted is None or accepted.by != "default"):
            mean, spread = _spread(result.values[0])
            words = f"{result.name} differs by {spread:.3g} from a mean of {mean:.3g}"
            yield "warning", f"{words}, which is about the error that is allowed"


def _draws(probe: Probe) -> Found:
    if probe.prepared.nature.draws:
        yield (
            "warning",
            "a call draws random numbers: only the same stream of them gives the same values",
        )


def _stateful(probe: Probe) -> Found:
    nature = probe.prepared.nature
    if nature.remembers:
        yield "warning", "what a call returns depends on earlier calls"
    elif nature.stateful:
        yield "warning", "a call changes parameters or buffers, which have to be right, too"


def _neutral_weights(probe: Probe) -> Found:
    found = [f"{n!r} is all {value}" for n, t in probe.weights.items() for value in _neutral(t)]
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        yield "warning", f"{', '.join(found[:4])}{more}"


def _neutral(tensor: torch.Tensor) -> list[int]:
    return [value for value in (0, 1) if bool((_wide(tensor) == value).all())]


def _overhead(probe: Probe) -> Found:
    if probe.prepared.workload.role != "bench":
        return
    call_us = probe.call_s * 1e6
    if call_us > SURELY_WORK_US:
        return
    empty_us = probe.empty_call_s() * 1e6
    if call_us < max(OVERHEAD_US, OVERHEAD_CALLS * empty_us):
        yield "warning", f"a call takes {call_us:.1f} us, one that does nothing {empty_us:.1f} us"


def _slow(probe: Probe) -> Found:
    if probe.prepared.workload.role == "bench" and probe.call_s > SLOW_S:
        yield "warning", f"a call takes {probe.call_s:.1f} s"


def _dead_inputs(probe: Probe) -> Found:
    (own, other), count = probe.drawn[:2], len(probe.prepared.like.tensors)
    if not 1 < count <= MOST_PROBED or not probe.reacts or probe.is_answered:
        return
    for index in _within_budget(count):
        if _differ(own.tensors[index], other.tensors[index]):
            tensors = list(own.tensors)
            tensors[index] = other.tensors[index]
            if _survives_unchanged(probe, {}, Values(own.tree, tensors)):
                yield "warning", f"another input {index} leads to the same output"


def _dead_parameters(probe: Probe) -> Found:
    weights = list(probe.weights.items())
    if len(weights) > MOST_PROBED or not probe.reacts or probe.is_answered:
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


def _survives_unchanged(probe: Probe, weights: dict[str, torch.Tensor], inputs: Values) -> bool:
    """Whether the reference takes these weights and inputs, and returns what it did before."""
    try:
        probe.restore()
        probe.reference.oracle.set_state(probe.key, packed(weights))
        same = probe.same_result(inputs)
        probe.restore()
    except WorkerFault:
        probe.recover()
        return False
    return same


def _noisy(tensor: torch.Tensor) -> torch.Tensor:
    noise = torch.empty(tensor.shape).normal_(generator=torch.Generator().manual_seed(0))
    wide = _wide(tensor)
    scale = float(wide.square().mean().sqrt()) or 1.0
    return (wide + scale * noise).to(tensor.dtype)


EITHER = "invalid, warning"
RULES: tuple[Rule, ...] = (
    Rule(
        "unusable",
        "invalid",
        "It fails",
        "The reference raises, returns no tensor, or needs more time or memory than it may have.",
        None,
    ),
    Rule(
        "not-repeatable",
        "invalid",
        "Other values at every call",
        "With the same inputs and torch seed, too: there is nothing to compare with.",
        None,
    ),
    Rule(
        "shape-depends-on-data",
        EITHER,
        "Other shapes for other seeds",
        "Of inputs or outputs; a warning where only numbers besides the tensors differ.",
        _shapes,
    ),
    Rule(
        "not-finite",
        EITHER,
        "NaN or infinite values",
        "They are compared by place only. Invalid where all values are such.",
        _nonfinite,
    ),
    Rule(
        "fixed-inputs",
        "warning",
        "The same inputs for every seed",
        "Then a stored result is right, except on the inputs that the judge makes itself.",
        _fixed_inputs,
    ),
    Rule(
        "no-reaction",
        "invalid",
        "The output does not depend on the inputs",
        "A stored result is right.",
        _no_reaction,
    ),
    Rule(
        ZEROS,
        EITHER,
        "All zeros would be accepted",
        "No work at all would pass for all of it.",
        _accepted(ZEROS),
    ),
    Rule(
        CONSTANT,
        EITHER,
        "One constant would be accepted",
        "No work at all would pass for all of it.",
        _accepted(CONSTANT),
    ),
    Rule(
        INPUT,
        EITHER,
        "An input would be accepted",
        "Nothing has to be done. A warning where large inputs of both signs tell (relu, clamp).",
        _accepted(INPUT),
    ),
    Rule(
        STALE,
        EITHER,
        "The result of other inputs would be accepted",
        "A stored result would pass, on any inputs.",
        _accepted(STALE),
    ),
    Rule(
        ROWS,
        "warning",
        "Constant along a dimension",
        "One value for a whole row, or one row for all of them, would be accepted.",
        _accepted(ROWS),
    ),
    Rule(
        "tiny-range",
        "warning",
        "A tiny range of values",
        "Right and wrong differ by little more than what is allowed.",
        _tiny_range,
    ),
    Rule(
        "draws-random",
        "warning",
        "Draws random numbers",
        "A candidate has to draw the same ones in the same order; a kernel of its own can't.",
        _draws,
    ),
    Rule(
        "stateful",
        "warning",
        "Calls change its state",
        "A candidate has to change it alike.",
        _stateful,
    ),
    Rule(
        "neutral-weights",
        "warning",
        "Weights that are all zeros or ones",
        "Adding or multiplying by them can be left out without a trace.",
        _neutral_weights,
    ),
    Rule(
        "overhead-bound",
        "warning",
        "A call is mostly overhead",
        "A speedup would measure how functions are called, not what they compute.",
        _overhead,
    ),
    Rule(
        "slow",
        "warning",
        "A call takes long",
        "Few measurements fit into the time; `--set` shrinks it.",
        _slow,
    ),
    Rule(
        "dead-input",
        "warning",
        "An input without effect",
        "What is done with it can be left out.",
        _dead_inputs,
    ),
    Rule(
        "dead-parameter",
        "warning",
        "A parameter without effect",
        "What is done with it can be left out: a bias before a normalisation, say.",
        _dead_parameters,
    ),
)


def guide_table() -> str:
    """The rules as docs/guides/tasks.md has them."""
    rows = [f"| `{r.id}` | {r.severity} | {r.title} | {r.reason} |" for r in RULES]
    return "\n".join(["| rule | severity | finding | why |", "|---|---|---|---|", *rows])


def audit(reference: Reference, tolerance: ToleranceName) -> list[Finding]:
    """What is wrong with a task, on every workload that runs on this machine.

    Args:
        tolerance: what candidates will be judged by.

    Raises:
        InfrastructureError: the reference could not be run.
    """
    found: list[Finding] = []
    try:
        workloads = reference.workloads()
    except InvalidReferenceError as error:
        return [_unusable("", error)]
    for workload in workloads:
        try:
            found += _audit_workload(reference, workload, tolerance)
        except InvalidReferenceError as error:
            reference.close()  # its workers may have died of it
            found.append(_unusable(workload.name, error))
    return found


def require_sound(reference: Reference) -> list[Finding]:
    """The warnings on a task, by its own tolerance.

    Raises:
        InvalidReferenceError: a verdict on it would mean nothing.
        InfrastructureError: the reference could not be run.
    """
    task, found = reference.task, []
    for workload in reference.workloads():
        found += _audit_workload(reference, workload, task.tolerance)
    for finding in found:
        if finding.severity == "invalid":
            where = f"workload {finding.workload!r} of {task.id!r}"
            message = f"{where} is unsound ({finding.rule}): {finding.evidence}"
            raise InvalidReferenceError(message, hint="see `kernelwright tasks audit`")
    return found


def _audit_workload(
    reference: Reference, workload: Workload, tolerance: ToleranceName
) -> list[Finding]:
    probe = Probe(reference, reference.prepare(workload), tolerance)
    found: list[Finding] = []
    try:
        for rule in RULES:
            pairs = rule.find(probe) if rule.find else ()
            found += [Finding(rule.id, severity, workload.name, text) for severity, text in pairs]
            if rule.find is _shapes and any(f.severity == "invalid" for f in found):
                break  # there is nothing that the others could compare
    except WorkerFault as fault:
        raise invalid(workload, fault) from fault
    return found


def _unusable(workload: str, error: InvalidReferenceError) -> Finding:
    rule = "not-repeatable" if "not repeatable" in error.message else "unusable"
    return Finding(rule, "invalid", workload, error.message)
