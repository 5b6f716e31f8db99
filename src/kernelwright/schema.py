"""The nouns of the project: frozen pydantic models that are sent, stored and exported.

Two rules hold everywhere. A candidate's fault is a `Status`; an infrastructure fault is an
`Attempt.error`. And an unknown value is `None`, never 0.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1

Scalar = bool | int | float | str
Size = Scalar | tuple[Scalar, ...]
"""Value that a module-level constant of a task may be set to."""
Level = Literal["fast", "standard", "strict"]
ToleranceName = Literal["default", "kernelbench"]
Target = Literal["cpu", "cuda"]
Policy = Literal["any", "custom"]
"""Code that may do the work: `any` (torch and torch.compile too, labelled), or `custom`, the
candidate's own."""
Compiled = Literal["baseline", "options"]
Bound = Literal["memory", "compute", "overhead"]
Interval = tuple[float, float]


def digest(data: object) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `data`: the identity used everywhere."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def without_new_defaults(full: Any, changed: Any, first: Collection[str]) -> Any:
    """Return an identity's data without the new fields that have their default.

    So a field that is new in a version changes no identity that was stored before, as long as it
    is not used: old runs, verdicts and names are still found.

    Args:
        full: JSON data with all fields.
        changed: the same without fields that have their default; None where all have it.
        first: fields of the first version, which are kept whatever their value.
    """
    if isinstance(full, list):
        others = changed or [None] * len(full)
        pairs = zip(full, others, strict=True)
        return [without_new_defaults(one, other, first) for one, other in pairs]
    if not isinstance(full, dict):
        return full
    known = changed or {}
    kept = {name: value for name, value in full.items() if name in first or name in known}
    return {n: without_new_defaults(value, known.get(n), first) for n, value in kept.items()}


class Record(BaseModel):
    """Base of all nouns: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Status(StrEnum):
    """The outcome of an evaluation; all but `passed` are faults of candidate or reference."""

    PASSED = "passed"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    INCORRECT_SHAPE = "incorrect_shape"
    INCORRECT_DTYPE = "incorrect_dtype"
    INCORRECT_NUMERICAL = "incorrect_numerical"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    REWARD_HACK = "reward_hack"
    INVALID_REFERENCE = "invalid_reference"
    """In verdicts of other judges, and of old stores: here it is an error, and no verdict."""


class Workload(Record):
    """One concrete case of a task."""

    name: str
    """Unique within the task."""
    overrides: dict[str, Size] = Field(default_factory=dict)
    """Module-level size constants of the reference that this case replaces."""
    role: Literal["test", "bench", "hidden"] = "bench"
    """`test`: values only. `bench`: values and time. `hidden`: values, never shown to a model."""
    target: Target | None = None
    """Run only on this kind of device; None means any."""


class Limits(Record):
    """Limits of a worker. Times in seconds of wall clock, memory in bytes."""

    build_timeout_s: float = 120.0
    """Time to import and compile a candidate."""
    call_timeout_s: float = 60.0
    """Time of one call of the model, first call (torch.compile) included."""
    memory_bytes: int = 8 * 2**30
    """Private memory of one worker."""


TASK_FIELDS = frozenset(
    {
        *("kind", "source", "overrides", "workloads", "tolerance", "limits"),
        *("name", "role", "target"),
        *("build_timeout_s", "call_timeout_s", "memory_bytes"),
    }
)
"""Fields of tasks, workloads and limits that hashes of the first version hold."""


class Task(Record):
    """A task: a KernelBench-format reference to speed up, with its workloads."""

    id: str
    """`suite/name`."""
    kind: str = "module"
    """Name of a kind of task."""
    source: str
    """The reference file, unchanged."""
    overrides: dict[str, Size] = Field(default_factory=dict)
    """Values of `--set NAME=VALUE`, which win over every workload's own overrides."""
    workloads: tuple[Workload, ...] = (Workload(name="default"),)
    category: str | None = None
    """Operator class, for choosing exemplars; None: by the traced operations."""
    tolerance: ToleranceName = "default"
    limits: Limits = Field(default_factory=Limits)

    @property
    def hash(self) -> str:
        """Identity of the task: digest of everything that changes the question or its judgement."""
        names = {"id", "category"}
        full = self.model_dump(mode="json", exclude=names)
        changed = self.model_dump(mode="json", exclude=names, exclude_defaults=True)
        return digest(without_new_defaults(full, changed, TASK_FIELDS))

    def overrides_for(self, workload: Workload) -> dict[str, Size]:
        """Return the constants to replace for `workload`, `--set` last."""
        return {**workload.overrides, **self.overrides}


class Origin(Record):
    """The origin of a candidate."""

    kind: Literal["offline", "model", "user"]
    model: str | None = None
    """`provider/name` of the language model."""
    prompt_hash: str | None = None
    strategy: str | None = None
    """The search strategy, or the offline approach (`library`, `inductor`)."""
    description: str = ""
    """The change in words, on one line."""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    """Values that the tuner chose."""


class Candidate(Record):
    """A proposed implementation: a file with `ModelNew`."""

    source: str
    """The whole Python file, KernelBench format."""
    backend: str
    entry_point: str = "ModelNew"
    parents: tuple[str, ...] = ()
    """Hashes of the candidates this one was made from."""
    origin: Origin

    @property
    def hash(self) -> str:
        """Identity of the candidate: its code, entry point and backend, whatever its origin."""
        return digest([self.source, self.entry_point, self.backend])


class Flag(Record):
    """One integrity finding."""

    rule: str
    severity: Literal["info", "suspicious", "refuse"]
    evidence: str


class Timing(Record):
    """The time of one call, never a bare float. All times in microseconds."""

    median_us: float
    ci95_us: Interval
    samples_us: tuple[float, ...]
    """One value per round: the judge's clock divided by the iterations of the round."""
    worker_median_us: float | None
    """Median by the worker's own clock, which is reported and compared, never trusted."""
    calls_per_block: int
    """Iterations of a round; stored under this name since the first version."""
    method: str


class Speedup(Record):
    """The ratio of baseline time to candidate time; above 1 is faster."""

    median: float
    ci95: Interval

    @property
    def is_faster(self) -> bool:
        """Whether the whole interval lies above 1."""
        return self.ci95[0] > 1.0


class Gain(NamedTuple):
    """The figure by which candidates are ranked and rewarded."""

    over: str
    """Name of the baseline: `eager`."""
    speedup: Speedup


class Correctness(Record):
    """The distance of the values from the truth, over all cases of one workload."""

    cases: int
    """Input sets compared."""
    golden: Literal["float64", "reference"]
    """Source of the truth; `reference` where the module does not run in float64."""
    max_abs_error: float | None
    """Largest |candidate - golden|; None where nothing finite could be compared."""
    reference_max_abs_error: float | None
    """Largest |reference - golden| on the same inputs."""
    worst_margin: float | None
    """Largest error divided by what was allowed; at most 1 when the values are right."""
    bitwise_repeatable: bool | None
    """Whether the same input gave the same bits twice."""
    weights: Literal["state_dict", "seed", "none"]
    """Way in which the candidate got the reference's parameters; `none`: it has no parameters."""
    timed_calls_checked: int | None = None
    """Number of spot checks: timed calls with a compared result; None where nothing was timed."""
    moved_numbers: int = 0
    """Cases with other Python numbers than those of get_inputs, each with its own."""


class WrongElement(Record):
    """One wrong element, as text: NaN and infinities are no JSON."""

    index: tuple[int, ...]
    got: str
    expected: str


class WrongValues(Record):
    """The places of wrong values in one output of one call.

    There is none for hidden workloads: nothing may be told of them.
    """

    workload: str
    output: int
    """Position among the tensors of the result."""
    outputs: int
    """Number of those tensors."""
    shape: tuple[int, ...]
    count: int
    """Number of wrong elements."""
    extent: tuple[tuple[int, int], ...]
    """The first and the last wrong index of each dimension."""
    pattern: str
    """The places in words."""
    kind: str | None = None
    """Property that all of the wrong elements have (`NaN there`); None where they differ."""
    first: WrongElement
    """The first one."""

    @property
    def words(self) -> tuple[str, str]:
        """Two sentences without a full stop: where the wrong values are, and the first of them."""
        which = f"output {self.output}" if self.outputs > 1 else "the output"
        total = math.prod(self.shape)
        kind = f"; {self.kind}" if self.kind else ""
        first = self.first
        return (
            f"in {which} of shape {list(self.shape)} on workload {self.workload!r} {self.count:,} "
            f"of {total:,} values are wrong: {self.pattern}{kind}",
            f"the first is at {list(first.index)}: got {first.got}, expected {first.expected}",
        )


class WorkloadResult(Record):
    """The findings on one workload."""

    workload: str
    correctness: Correctness | None = None
    timing: dict[str, Timing] = Field(default_factory=dict)
    """Keys: `candidate`, `eager`, `compile`."""
    speedup: dict[str, Speedup] = Field(default_factory=dict)
    """Keys: `eager`, `compile`."""
    peak_memory_bytes: int | None = None
    """Largest memory that the candidate's calls held; None where it was not measured."""


class HotLine(Record):
    """A line of a candidate's own code that takes much of its time."""

    share: float
    """Share of the samples in own code."""
    function: str
    line: int | None
    """Number of the line in the C++ that was compiled; None where that is unknown."""
    text: str
    """The line; empty where it is unknown."""
    instructions: tuple[tuple[str, float], ...]
    """Its hottest instructions, each with its share of the samples in own code."""
    missed: str | None = None
    """The compiler's reason why it did not vectorise the loop around the line."""

    @property
    def words(self) -> str:
        """The line in words."""
        where = f"line {self.line} `{self.text}`" if self.text else f"function {self.function}"
        hot = ", ".join(f"{text} {share:.0%}" for text, share in self.instructions)
        missed = f"; its loop is not vectorised: {self.missed}" if self.missed else ""
        return f"{self.share:.0%} in {where}: {hot}{missed}"


class OwnCode(Record):
    """Samples of a candidate's own machine code, taken at random moments while it ran."""

    samples: int
    """Number of samples in own code."""
    share: float
    """Share of own code among the samples that compute."""
    busy: tuple[float, ...]
    """Share of the moments at which each thread computed, the busiest first."""
    lines: tuple[HotLine, ...]

    @property
    def words(self) -> list[str]:
        """The profile in sentences."""
        busy = ", ".join(f"{share:.0%}" for share in self.busy)
        threads = f"threads compute for {busy} of the time; " if len(self.busy) > 1 else ""
        own = (
            f"own code has {self.share:.0%} of the samples that compute ({self.samples}; an "
            "instruction also has those of one that it waits for)"
        )
        return [f"{threads}{own}", *(line.words for line in self.lines)]


class Evidence(Record):
    """The facts about where the time goes that the profiler agent gets."""

    level: Literal["counters", "trace", "events", "static"]
    facts: tuple[str, ...] = ()
    bound: Bound | None = None
    roof_fraction: float | None = None
    """Share of the measured roof that the candidate reaches (an estimate)."""
    sol_score: float | None = None
    """Speed-of-light score: 0.5 is eager's time, 1 the roof's; None where a time is below the roof,
    which is an estimate."""
    own_code: OwnCode | None = None
    """The hot lines of a C++ candidate; None where it was not sampled, or has too few samples."""

    @property
    def hot_lines(self) -> list[str]:
        """The samples of own code in sentences; none where it was not sampled."""
        return self.own_code.words if self.own_code else []


UseOutcome = Literal["same", "falls-back", "raises", "wrong", "crashes", "not-tried"]
"""`same`: as the reference. `falls-back`: so, too, by running the original forward. `raises`: an
error where the reference works. `wrong`: another value, without a word."""
UsesRule = Literal["flag", "refuse"]
"""Consequence of a use that is silently wrong or crashes."""


class UseResult(Record):
    """The outcome of one way in which people use a module."""

    use: str
    outcome: UseOutcome
    detail: str | None = None
    """One sentence on the worst that happened, or on why it was not tried."""


class SandboxInfo(Record):
    """The sandbox that ran a candidate, with the limits that it holds and those that it lacks."""

    kind: str
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Criteria(Record):
    """The decision that is wanted of a verdict at any level; the tolerance is the task's."""

    policy: Policy = "any"
    uses: UsesRule = "flag"
    delivers: bool = False
    """Whether the verdict decides what is delivered: that is what is faster, so the uses of others
    are not tried."""


class SearchSettings(Record):
    """The search of one task: its strategy, and its limits."""

    strategy: str = "greedy"
    """Name of a registered strategy, or a dotted path."""
    seed: int = 0
    attempts: int | None = 12
    """Number of attempts that the task may have in all; None: as many as the budget allows."""
    time_limit_s: float | None = 600.0
    """Seconds after which nothing new is started; the proof comes on top. None: no limit."""
    patience: int = 24
    """Evaluated attempts without 1% of progress after which the search ends."""
    proposals: int = 1
    """Attempts side by side."""
    halving: int = 3
    """The fastest one in so many attempts is measured at length; 0: none is."""
    repairs: int = 0
    """Most repairs of an attempt whose file is not built."""
    seeds: int = 0
    """Most files of the offline optimizer that come before a model is asked."""
    tune: int = 0
    """Most tuned attempts with the numbers of one file."""


class MachineSpec(Record):
    """The machine that is wanted for all workers of a run."""

    sandbox: str = "auto"
    """Name of a sandbox; `auto`: the strictest of ours that works."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of one worker; None: one for each CPU."""
    target: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""


class EvaluationJob(Record):
    """Everything that a verdict needs, as data: any executor, here or elsewhere, can do it."""

    task: Task
    candidate: Candidate
    level: Level = "standard"
    criteria: Criteria = Criteria()
    machine: MachineSpec = MachineSpec()


GAIN_OVER = "eager"
"""Baseline of `Evaluation.gain`."""
BUSY_MACHINE: Final = "busy-machine"
"""Rule that flags times which decide nothing, because the machine was busy."""
NOT_VALIDATED: Final = "not-validated"
"""Rule that flags verdicts on devices where timing is not validated yet."""


class Evaluation(Record):
    """The verdict on one candidate for one task."""

    task_hash: str
    candidate_hash: str
    backend: str
    status: Status
    reason: str
    """One sentence; for failures the error, trimmed to what matters."""
    level: Level
    tolerance: ToleranceName
    policy: Policy = "any"
    flags: tuple[Flag, ...] = ()
    workloads: tuple[WorkloadResult, ...] = ()
    speedup: dict[str, Speedup] = Field(default_factory=dict)
    """Geometric mean over the timed workloads, per baseline."""
    evidence: Evidence | None = None
    wrong: WrongValues | None = None
    """The places of wrong values; None where values are right, where it is not single ones that
    are wrong, on hidden workloads, and in records of earlier versions."""
    uses: tuple[UseResult, ...] = ()
    """The uses that say something about this candidate; empty where none were tried."""
    environment: dict[str, Any] = Field(default_factory=dict)
    sandbox: SandboxInfo
    scope: tuple[str, ...] = ()
    """The calls that the verdict covers, in lines of text; empty in older records."""
    build_s: float | None = None
    """Seconds to build; None where nothing was built."""
    object_code: str | None = None
    """Digest of the machine code that the build made; None where it made none."""
    compiled: Compiled | None = None
    """Set where the program is the reference's under torch.compile: as the baseline is compiled,
    against which there is then no speedup, or with other options."""
    duration_s: float
    worker_version: str

    @model_validator(mode="after")
    def _timing_needs_right_values(self) -> Self:
        timed = bool(self.speedup) or any(w.timing or w.speedup for w in self.workloads)
        if timed and self.status not in (Status.PASSED, Status.REWARD_HACK):
            raise ValueError(f"timing next to status {self.status.value!r}")
        return self

    @property
    def accepted(self) -> bool:
        """Whether the values are right and no integrity rule refuses the candidate."""
        return self.status is Status.PASSED and all(f.severity != "refuse" for f in self.flags)

    @property
    def gain(self) -> Gain | None:
        """The speedup that rankings and rewards go by: over eager; None where nothing was timed."""
        speedup = self.speedup.get(GAIN_OVER)
        return None if speedup is None else Gain(GAIN_OVER, speedup)

    @property
    def compiled_words(self) -> str:
        """Words on a program that is the reference's under torch.compile; empty for any other."""
        if self.compiled is None:
            return ""
        options = " with other options" if self.compiled == "options" else ""
        return f"this is torch.compile{options}, not a kernel"

    @property
    def was_disturbed(self) -> bool:
        """Whether other processes used the timed cores so long that the times decide nothing."""
        return any(flag.rule == BUSY_MACHINE for flag in self.flags)

    @property
    def is_validated(self) -> bool:
        """Whether timing on the device is validated; on GPUs it is not yet."""
        return all(flag.rule != NOT_VALIDATED for flag in self.flags)

    @property
    def has_tried_uses(self) -> bool:
        """Whether any use was tried; not so in records of earlier versions."""
        return any(use.outcome != "not-tried" for use in self.uses)

    @property
    def is_undecided(self) -> bool:
        """Whether the candidate is accepted, but its times decide nothing."""
        return self.accepted and self.was_disturbed

    @property
    def is_win(self) -> bool:
        """Whether the candidate is accepted, undisturbed, and faster than eager.

        Faster means that the whole interval of the speedup lies above 1.
        """
        gain = self.gain
        is_faster = gain is not None and gain.speedup.is_faster
        return self.accepted and not self.was_disturbed and is_faster


class Prediction(Record):
    """The ratio of baseline time to candidate time in several processes; above 1 is faster."""

    median: float
    pi95: Interval
    """95% prediction interval: the ratio of one more process lies in it."""

    @property
    def is_faster(self) -> bool:
        """Whether the whole interval lies above 1."""
        return self.pi95[0] > 1.0


class OrdinaryRun(Record):
    """A proven file in fresh ordinary interpreters: default allocator, all threads, torch's timer.

    The process that runs the file owns this clock. It tells what a user sees, and proves nothing.
    """

    right: bool | None
    """Whether the values were right in all of them; None where that is unknown."""
    problem: str | None = None
    """Reason why there are no times, in one line; None where there are."""
    eager_us: float | None = None
    """Median time of a call of the reference; `candidate_us` of the file."""
    candidate_us: float | None = None
    speedups: tuple[float, ...] = ()
    """Ratio of each interpreter."""
    speedup: Prediction | None = None

    @model_validator(mode="after")
    def _times_or_problem(self) -> Self:
        if (self.problem is None) != (self.speedup is not None):
            raise ValueError("an ordinary run has times or a problem: exactly one")
        if self.speedup is not None and not self.right:
            raise ValueError("times of a file that is not right")
        return self


class Usage(Record):
    """The tokens and dollars of model calls; an unknown amount is None, never 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cached_input_tokens: int | None = None
    """The part of `input_tokens` that was read from the provider's cache."""

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; an amount that is unknown in one is unknown in the sum."""
        return Usage(
            input_tokens=_sum(self.input_tokens, other.input_tokens),
            output_tokens=_sum(self.output_tokens, other.output_tokens),
            cost_usd=_sum(self.cost_usd, other.cost_usd),
            cached_input_tokens=_sum(self.cached_input_tokens, other.cached_input_tokens),
        )

    @property
    def cached_share(self) -> float | None:
        """The part of the input tokens that came from the provider's cache, from 0 to 1.

        None where that is not known, and where nothing was asked.
        """
        if self.cached_input_tokens is None or not self.input_tokens:
            return None
        return self.cached_input_tokens / self.input_tokens

    @property
    def is_free(self) -> bool:
        """Whether nothing was used, as without a model."""
        return (self.input_tokens, self.output_tokens, self.cost_usd) == (0, 0, 0.0)

    @classmethod
    def zero(cls) -> Usage:
        """Return the usage of no calls, with all amounts known."""
        return cls(input_tokens=0, output_tokens=0, cost_usd=0.0, cached_input_tokens=0)


N = TypeVar("N", int, float)


def _sum(left: N | None, right: N | None) -> N | None:
    return None if left is None or right is None else left + right


class Span(Record):
    """A start and an end, in seconds since the epoch."""

    started: float
    ended: float

    @classmethod
    def since(cls, started: float) -> Self:
        """Return the span from `started` until now; empty where the clock was set back since."""
        return cls(started=started, ended=max(started, time.time()))


class TextPart(Record):
    """Words of a message."""

    kind: Literal["text"] = "text"
    text: str


class ToolCall(Record):
    """A model's call of a tool."""

    kind: Literal["tool_call"] = "tool_call"
    id: str
    """The provider's name of the call, which its result repeats."""
    name: str
    arguments: str
    """JSON as the model wrote it, which may be wrong or cut off."""


class ToolResult(Record):
    """A tool's answer to a call."""

    kind: Literal["tool_result"] = "tool_result"
    call_id: str
    text: str
    is_error: bool = False


class OpaquePart(Record):
    """A provider's own part of an answer, as a thinking block with its signature.

    It goes back unchanged to the provider that made it, and to no other.
    """

    kind: Literal["opaque"] = "opaque"
    provider: str
    """The provider and its API, as `anthropic/messages`."""
    data: dict[str, Any]


Part = Annotated[TextPart | ToolCall | ToolResult | OpaquePart, Field(discriminator="kind")]


class Message(Record):
    """One chat message. Tools' results stand in a message of the user."""

    role: Literal["system", "user", "assistant"]
    content: str | tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts."""
        return (TextPart(text=self.content),) if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        """The content to be read: tool calls and results in words, opaque parts left out."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(words for part in self.content if (words := _words(part)) is not None)


def _words(part: Part) -> str | None:
    match part:
        case TextPart():
            return part.text
        case ToolCall():
            return f"[calls {part.name}: {part.arguments}]"
        case ToolResult():
            return f"[{'error' if part.is_error else 'result'}: {part.text}]"
        case OpaquePart():
            return None


class ModelCall(Record):
    """One request to a language model, with its answer or error."""

    attempt: int | None = None
    """Index of the attempt it was made for; None in records of earlier versions."""
    role: Literal["planner", "coder", "profiler"]
    model: str
    blocks: dict[str, int] = Field(default_factory=dict)
    """Characters of each block of the first prompt, by name."""
    messages: tuple[Message, ...]
    answer: str | None
    """The model's answer; None when the provider gave none."""
    error: str | None = None
    usage: Usage = Field(default_factory=Usage)
    span: Span

    @property
    def block_tokens(self) -> dict[str, int] | None:
        """Input tokens by block: the provider's count in proportion to characters.

        None where the provider reported no count.
        """
        characters = sum(len(message.text) for message in self.messages)
        if self.usage.input_tokens is None or characters == 0:
            return None
        share = self.usage.input_tokens / characters
        return {name: round(share * length) for name, length in self.blocks.items()}


class ToolStep(Record):
    """One tool call of an attempt that was carried out, with its result."""

    name: str
    arguments: str
    """JSON as the model wrote it, which may be wrong or cut off."""
    result: str
    """The text that the model is shown."""
    is_error: bool = False
    seconds: float = 0.0
    """Wall-clock time that the tool took."""
    call: int = 0
    """Position of the model call that asked for it, among the attempt's answered ones of the coder,
    from 0."""
    right: bool | None = None
    """Whether the file as it was then had right values; None where that was not looked at."""
    speedup: float | None = None
    """Speedup over the faster baseline that was seen in passing; None where nothing was timed."""


Operator = Literal["fresh", "improve", "repair", "combine", "seed", "tune"]
"""Way to make a candidate: from the reference, from another, from one that failed, from several; a
file of the offline optimizer, or another with other numbers."""


class Move(Record):
    """A search strategy's decision about one attempt."""

    operator: Operator = "fresh"
    parent: int | None = None
    """Index of the attempt to go on from."""
    others: tuple[int, ...] = ()
    """Indexes of attempts to learn from, best first."""
    direction: str = ""
    """Hint in words about where to look; empty leaves it open."""
    hints: tuple[str, ...] = ()
    """A user's words, given while the search ran."""
    island: int | None = None
    """Index of the population that the attempt belongs to, where there are several."""
    leads_on: bool = True
    """Whether a later attempt may go on from this one; else the profiler is not asked about it."""
    idea: str | None = None
    """Name of an earlier planner's idea to realise, without asking a planner."""
    point: tuple[tuple[str, Scalar], ...] = ()
    """The values of a file that is no model's work: of the offline optimizer's, or tuned ones."""

    @property
    def is_free(self) -> bool:
        """Whether no model is asked: the move itself says what the file is."""
        return self.operator in ("seed", "tune")


class IdeaCard(Record):
    """An idea as a planner told it. What became of it is seen from the attempts."""

    text: str
    backend: str | None = None
    """Backend that it is for; None where the planner named none that may be used."""
    expected: float | None = None
    """Time of the code that the planner was shown over the time expected after; None where the
    planner gave no figure."""


class Attempt(Record):
    """One attempt: an evaluated candidate, an infrastructure error, or the reason for a drop."""

    run_id: str
    task_id: str
    index: int
    """Position in the task's history, from 0."""
    move: Move = Move()
    plan: str = ""
    ideas: tuple[IdeaCard, ...] = ()
    """All ideas of its planner, in the planner's order; empty where none was asked."""
    idea: str | None = None
    """Name of the planner's idea that the code was written for, of this attempt or of an earlier
    one: the number of the attempt that has the idea, and a letter. None where there is none."""
    candidate: Candidate | None = None
    evaluation: Evaluation | None = None
    error: str | None = None
    dropped: str | None = None
    """Reason why there was nothing to evaluate: no usable answer, a file that was tried before."""
    diagnosis: str = ""
    """The profiler's answer: one bottleneck and one fix; empty where it was not asked."""
    usage: Usage = Field(default_factory=Usage)
    span: Span

    @property
    def number(self) -> int:
        """Position in the task's history, counted from 1."""
        return self.index + 1

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        outcomes = (self.evaluation, self.error, self.dropped)
        if sum(outcome is not None for outcome in outcomes) != 1:
            raise ValueError("an attempt has an evaluation, an error or was dropped: exactly one")
        if self.evaluation is not None and self.candidate is None:
            raise ValueError("an evaluation needs its candidate")
        return self


class Circumstances(Record):
    """The features of a task and a machine that a change's worth depends on."""

    bound: Bound | None = None
    """Resource that bounds the task at the roof; None where it is unknown."""
    bytes_moved: int | None = None
    """Least bytes of a call; None where they are unknown."""
    dtypes: tuple[str, ...] = ()
    """Types of the elements of inputs and parameters; empty where unknown."""
    processor: str | None = None
    """Name of the CPU or the GPU; None where the system does not tell."""
    units: tuple[str, ...] = ()
    """Vector units of a CPU, or the compute capability of a GPU."""


class Lesson(Record):
    """A skill card: one change that was part of a proven win, or that lost, as it was measured."""

    text: str
    """The change, in one line."""
    category: str | None
    """Operator class of the task; None when unknown."""
    backend: str
    target: Target
    gain: float
    """Time before the change over time after it, as the search measured them; below 1 it lost."""
    interval: Interval | None = None
    """95% interval of the gain; None in records of earlier versions."""
    difference: str | None = None
    """Code before and after as a unified diff, the runtime by name, perhaps cut; None in records
    of earlier versions, and where it would give a solution away."""
    on: Circumstances | None = None
    """Task and machine that it was measured on; None in records of earlier versions."""
    failures: tuple[str, ...] | None = None
    """Statuses of the wrong files that were repaired before the right one, in order; None in
    records of earlier versions."""
    run_id: str
    task_id: str
    task_hash: str | None = None
    """None in records of earlier versions."""
    attempt: int
    """Index of the attempt with the right code: of a win, one of those that led to the proven
    file."""
    helped: int = 0
    """Number of later tasks that the lesson was shown for and that were improved."""
    misses: int = 0
    """Number of later tasks that it was shown for in vain, since the last one that it helped."""
    harmed: int | None = None
    """Number of all later tasks that it was shown for in vain; None in records of earlier
    versions, which did not count them."""

    @property
    def is_loss(self) -> bool:
        """Whether the change made the code slower."""
        return self.gain < 1


class Facts(Record):
    """The findings on a task's reference, made before a run's search, as models are told them.

    They are stored with the run, so that a continued one asks the same questions.
    """

    category: str | None = None
    """Operator class, by the traced operations; None where they are of none, or unknown."""
    dtypes: tuple[str, ...] = ()
    """Types of the elements of inputs and parameters; empty where unknown."""
    bound: Bound | None = None
    """Resource that bounds a call at the roof; None where it is unknown."""
    bytes_moved: int | None = None
    """Least bytes of a call; None where they are unknown."""
    times: tuple[str, ...] = ()
    """Eager's time and its operators, in lines."""
    roof: tuple[str, ...] = ()
    """The least time by bytes and operations, in lines."""
    graph: tuple[str, ...] = ()
    """The traced operations, in lines."""
    versions: tuple[str, ...] = ()
    """Versions of what compiles and runs a candidate, in lines."""


RunStatus = Literal["running", "done", "interrupted", "failed"]
RunCommand = Literal["optimize", "bench", "demo"]


class Run(Record):
    """One run: an invocation of `optimize`, `bench` or `demo`."""

    id: str
    command: RunCommand
    config: dict[str, Any]
    """The resolved settings."""
    git_commit: str | None
    git_dirty: bool | None
    packages: dict[str, str]
    status: RunStatus = "running"
    error: str | None = None
    """Reason why a run has failed; None in records of earlier versions."""
    started: float
    ended: float | None = None
    usage: Usage = Field(default_factory=Usage.zero)


class Reward(Record):
    """The named, weighted parts of a reward and their total, from stored evidence only."""

    function: str
    version: int
    parts: dict[str, float]
    total: float | None
    """Sum of the parts; None where there is nothing to score (an infrastructure error)."""
