"""The whole workflow on a scripted model: real graph, real store, verdicts made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from kernelwright.agents.cached_judge import Judging
from kernelwright.agents.checkpoints import checkpoints
from kernelwright.agents.known import from_known
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.planner import REPAIR
from kernelwright.agents.offline.proposer import OfflineProposer
from kernelwright.agents.proposer import Proposer
from kernelwright.agents.search.greedy import Greedy
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.agents.search_context import SearchContext, Step, Told
from kernelwright.agents.workflow import run_search
from kernelwright.config import Allowance
from kernelwright.llm.base import LLM
from kernelwright.schema import (
    Attempt,
    Candidate,
    Evaluation,
    Level,
    SearchSettings,
    Status,
    Task,
)
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.build.object_code import ObjectCode
from tests.agents.model_kit import (
    BACKENDS,
    BRIEF,
    DIAGNOSIS,
    FREE,
    PLAN,
    RICH,
    TASK,
    Stage,
    block,
    by_role,
    file,
    role_of,
)
from tests.llm.conftest import Hosted
from tests.llm.loopback import Asked, Reply, openai_usage
from tests.store import samples

Evaluate = Callable[[Candidate], Evaluation]


def scripted(hosted: Hosted, *files: str) -> None:
    """Make planner and profiler always say the same, and the coder give these answers."""
    by_role(hosted, planner=[PLAN], coder=list(files), profiler=[DIAGNOSIS])


def verdicts(*eager: float | None) -> Evaluate:
    """Return a judge's function: the speedup of `file(i)` by its position; None is a crash."""
    by_source = {file(index): value for index, value in enumerate(eager)}

    def evaluate(candidate: Candidate) -> Evaluation:
        value = by_source[candidate.source]
        status = Status.PASSED if value else Status.RUNTIME_ERROR
        return samples.evaluation(candidate, value, status=status, for_task=TASK)

    return evaluate


class Scripted:
    """A judge with made-up verdicts and empty builds.

    Args:
        builds: digests of the machine code of some files.
    """

    def __init__(self, evaluate: Evaluate, builds: Mapping[str, str] | None = None) -> None:
        self._evaluate = evaluate
        self._builds = builds or {}
        self.levels: list[Level] = []
        """Levels that were asked for, in order."""

    def build(self, candidate: Candidate, level: Level) -> Build | Evaluation:
        """See `Judging.build`."""
        return Build(Path(), None, ObjectCode(digest=self._builds.get(candidate.source)))

    def evaluate(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """See `Judging.evaluate`."""
        self.levels.append(level)
        update = {"level": level, "object_code": build.object_code.digest}
        return self._evaluate(candidate).model_copy(update=update)

    def compare(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """See `Judge.compare`."""
        self.levels.append(level)
        return self._evaluate(candidate).model_copy(update={"speedup": {}})

    def profile(self, candidate: Candidate, build: Build) -> Evaluation:
        """See `Judge.profile`."""
        return self.evaluate(candidate, "fast", build)


class Outcome(NamedTuple):
    stage: Stage
    reason: str
    history: list[Attempt]
    phases: list[str]

    @property
    def hashes(self) -> list[str | None]:
        return [a.candidate.hash if a.candidate else None for a in self.history]

    @property
    def roles(self) -> list[str]:
        """The roles that were asked, in order."""
        return [role_of(asked) for asked in self.stage.asked]


def run(
    hosted: Hosted,
    folder: Path,
    evaluate: Evaluate,
    *,
    attempts: int = 3,
    allowed: Allowance = RICH,
    each: Allowance = FREE,
    llm: LLM | None = None,
    strategy: SearchStrategy | None = None,
    proposals: int = 1,
    judge: Judging | None = None,
    halving: int = 0,
    repairs: int = 0,
    task: Task = TASK,
    brief: Brief = BRIEF,
    uses_tools: bool = False,
    offline: OfflineProposer | None = None,
    seeds: int = 2,
    tune: int = 8,
) -> Outcome:
    """Run the workflow, or go on with what an earlier one left in the folder.

    Args:
        offline: makes the seeds; without it the search starts from nothing, and tunes nothing.
    """
    stage = Stage(hosted, folder, llm, allowed, each, (), task, brief, uses_tools)
    phases: list[str] = []

    def observe(told: Told) -> None:
        if isinstance(told, Step):
            phases.append(told.phase)

    history = stage.store.attempts_of(samples.RUN_ID)
    settings = SearchSettings(
        attempts=attempts, proposals=proposals, halving=halving, repairs=repairs
    )
    proposer: Proposer = stage.proposer
    strategy = strategy or Greedy()
    if offline is not None:
        settings = settings.model_copy(update={"seeds": seeds, "tune": tune})
        proposer, strategy = from_known(proposer, strategy, offline, BACKENDS, settings, history)
    context = SearchContext(
        run_id=samples.RUN_ID,
        task=task,
        backends=BACKENDS,
        proposer=proposer,
        judge=judge or Scripted(evaluate),
        settings=settings,
        strategy=strategy,
        store_attempt=stage.store.add_attempt,
        history=history,
        hints=partial(stage.store.take_hints, samples.RUN_ID, task.id),
    )
    with checkpoints(stage.store) as saver:
        reason = run_search(context, saver, observe)
    assert stage.store.attempts_of(samples.RUN_ID) == history
    return Outcome(stage, reason, history, phases)


class ByPlan:
    """Answers that depend on the question alone: the n-th plan that is asked for is plan n.

    The file of a plan holds its number, and that of a repair what it repairs.
    """

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted
        self.plans: dict[str, int] = {}

    def __call__(self, asked: Asked) -> Reply:
        text = str(asked.body["messages"][-1]["content"])
        answer = DIAGNOSIS
        if role_of(asked) == "planner":
            number = self.plans.setdefault(text, len(self.plans))
            answer = PLAN.replace("Fuse into one pass.", f"Plan {number}")
        if role_of(asked) == "coder":
            failed = re.findall(r"VARIANT = '?([\w ]+)", text)
            plans = re.findall(r"Plan (\d+)", text)
            is_repair = REPAIR in text
            answer = block(file(f"{failed[0]} again" if is_repair else int(plans[-1])))
        return self.hosted.answer(answer, usage=openai_usage(1000, 100))
