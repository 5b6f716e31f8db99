"""The offline proposer: repeatable, without duplicates, resumable, and done when all is tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kernelwright.agents.duplicates import normal_form
from kernelwright.agents.offline.design import NotCoveredError
from kernelwright.agents.offline.graph import Graph
from kernelwright.agents.offline.proposer import APPROACH, FEW, INDUCTOR_SPACE, OfflineProposer
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.tunables import tunables
from kernelwright.schema import (
    Attempt,
    Candidate,
    Evaluation,
    Move,
    Origin,
    SandboxInfo,
    Span,
    Speedup,
    Status,
    Task,
    Usage,
)
from kernelwright.tasks.loader import load_task
from tests.agents.offline_kit import graph_of, library_graph
from tests.uses.corpus import MODULES

TASK = load_task("softmax")
BOTH = ("cpp", "inductor")


def proposer(task: Task = TASK, seed: int = 1) -> OfflineProposer:
    graph: Graph = library_graph("softmax")
    return OfflineProposer(task, lambda: graph, seed)


def view(attempts: tuple[Attempt, ...] = (), backends: tuple[str, ...] = BOTH) -> View:
    return View(TASK, len(attempts), Move(), attempts, backends)


def attempt(index: int, candidate: Candidate, speedup: float | None) -> Attempt:
    """Return an attempt that passed with a speedup, or was wrong."""
    status = Status.INCORRECT_NUMERICAL if speedup is None else Status.PASSED
    found = {} if speedup is None else {"eager": Speedup(median=speedup, ci95=(speedup, speedup))}
    evaluation = Evaluation(
        task_hash=TASK.hash, candidate_hash=candidate.hash, backend=candidate.backend,
        status=status, reason="measured", level="fast", tolerance="default", speedup=found,
        sandbox=SandboxInfo(kind="process"), duration_s=1.0, worker_version="1",
    )  # fmt: skip
    return Attempt(
        run_id="r", task_id=TASK.id, index=index, plan="tried", candidate=candidate,
        evaluation=evaluation, span=Span(started=0, ended=1),
    )  # fmt: skip


def run(
    subject: OfflineProposer, history: tuple[Attempt, ...] = (), backends: tuple[str, ...] = BOTH
) -> Iterator[tuple[Attempt, ...]]:
    """Yield the history after each proposal, until nothing is left."""
    while True:
        idea = subject.plan(view(history, backends))
        if idea is None:
            return
        candidate = subject.code(view(history, backends), idea)
        assert candidate is not None
        assert candidate.backend == idea.backend
        value = None if len(history) % 4 == 3 else 1.0 + len(history) / 10
        history = (*history, attempt(len(history), candidate, value))
        yield history


def hashes(history: tuple[Attempt, ...]) -> list[str]:
    return [a.candidate.hash for a in history if a.candidate]


def test_the_same_seed_proposes_the_same_and_nothing_twice() -> None:
    one, other = list(run(proposer()))[-1], list(run(proposer()))[-1]
    assert hashes(one) == hashes(other)
    assert len(set(hashes(one))) == len(one)
    first = [a.candidate.origin.strategy for a in one[:2] if a.candidate]
    assert first == ["library", "inductor"]
    origins = [a.candidate.origin for a in one if a.candidate]
    assert all(origin.kind == "offline" and origin.model is None for origin in origins)
    inductor = 1
    for values in INDUCTOR_SPACE.values():
        inductor *= len(values)
    assert 2 <= len(one) <= inductor + 60


def test_torch_compile_has_its_defaults_first_and_other_settings_late() -> None:
    few = list(run(proposer(), backends=("inductor",)))
    assert len(few) == 1
    model = Candidate(source="x", backend="cpp", origin=Origin(kind="model", model="a/b"))
    late = tuple(attempt(index, model, 1.0) for index in range(FEW))
    settings = set()
    for seed in range(8):
        idea = proposer(seed=seed).plan(view(late, ("inductor",)))
        settings.add(idea.text if idea else None)
    assert len(settings) > 2


def test_a_resumed_run_goes_on_as_if_nothing_had_happened() -> None:
    whole = list(run(proposer()))
    for cut in (1, 2, len(whole) // 2):
        history = whole[cut - 1]
        resumed = list(run(proposer(), history))
        assert hashes(resumed[-1] if resumed else history) == hashes(whole[-1])
    done = whole[-1]
    assert proposer().plan(view(done)) is None


def test_an_idea_of_an_interrupted_run_is_coded_by_a_new_one() -> None:
    idea = proposer().plan(view())
    assert idea is not None
    assert idea.backend == "cpp"
    coded, again = proposer().code(view(), idea), proposer().code(view(), idea)
    assert coded is not None
    assert coded == again
    assert "softmax_cpp" in coded.source


@pytest.mark.parametrize("backend", BOTH)
def test_only_allowed_backends_are_proposed_and_retold(backend: str) -> None:
    mixed = list(run(proposer()))[3]
    histories = list(run(proposer(), (), (backend,)))
    assert {a.candidate.backend for a in histories[-1] if a.candidate} == {backend}
    assert all(len(h) > 4 for h in run(proposer(), mixed, (backend,)))
    assert list(run(proposer(), histories[0], (backend,))) or len(histories) == 1


def test_others_attempts_and_lost_ones_are_passed_over() -> None:
    model = Candidate(source="x", backend="cpp", origin=Origin(kind="model", model="a/b"))
    lost = Attempt(run_id="r", task_id=TASK.id, index=0, error="disk full",
                   span=Span(started=0, ended=1))  # fmt: skip
    subject = proposer()
    assert subject.plan(view((lost, attempt(1, model, 3.0)))) is not None


def test_without_a_way_there_is_no_plan() -> None:
    assert proposer().plan(view(backends=())) is None
    untraceable = OfflineProposer(TASK, lambda: None, 1)
    assert untraceable.plan(view(backends=("cpp",))) is None
    idea = untraceable.plan(view())
    assert idea is not None
    assert idea.backend == "inductor"
    assert untraceable.usage(0) == Usage.zero()


def test_settings_of_the_task_reach_the_file() -> None:
    idea = proposer().plan(view())
    assert idea is not None
    small = proposer(load_task("softmax", {"COLS": 77}))
    coded = small.code(view(), idea)
    assert coded is not None
    assert "COLS = 77\n" in coded.source


def test_torch_compile_is_left_alone_once_a_kernel_is_clearly_faster() -> None:
    for speedup, wanted in ((1.1, {"cpp", "inductor"}), (1.9, {"cpp"})):
        subject = proposer()
        history: tuple[Attempt, ...] = ()
        for _ in range(3):
            idea = subject.plan(view(history))
            assert idea is not None
            candidate = subject.code(view(history), idea)
            assert candidate is not None
            history = (*history, attempt(len(history), candidate, speedup))
        assert {a.candidate.backend for a in history if a.candidate} == wanted


def test_what_torch_has_tuned_itself_is_left_out_once() -> None:
    task = load_task(str(MODULES / "convnext_block.py"))
    names: dict[str, Any] = {}
    exec(compile(task.source, task.id, "exec"), names)
    graph = graph_of(names["Model"](*names["get_init_inputs"]()), *names["get_inputs"]())
    subject, files = OfflineProposer(task, lambda: graph, 0), []
    history: tuple[Attempt, ...] = ()
    for _ in range(3):
        shown = View(task, len(history), Move(), history, BOTH)
        idea = subject.plan(shown)
        assert idea is not None
        candidate = subject.code(shown, idea)
        assert candidate is not None
        history = (*history, attempt(len(history), candidate, 1.0))
        files.append((idea.parameters.get("leave_out"), candidate))
    assert [what for what, _ in files[:3]] == ["nothing", "linear_gelu", None]
    whole, without = files[0][1].source, files[1][1].source
    assert "linear_gelu_cpp(" in whole and "depthwise_conv2d_cpp(" in whole
    assert "linear_gelu_cpp(" not in without and "depthwise_conv2d_cpp(" in without
    assert "linear_gelu" not in files[1][1].origin.description


def test_a_models_search_may_begin_with_designs_as_they_are_and_without_rivals() -> None:
    task, graph = load_task("matmul_bias_gelu"), library_graph("matmul_bias_gelu")
    subject = OfflineProposer(task, lambda: graph, 1)
    seeds = [dict(point) for point in subject.seeds(BOTH)]
    assert seeds and all(point[APPROACH] == "library" for point in seeds)
    made = subject.seed(seeds[0], BOTH)
    assert made.backend == "cpp" and made.origin.parameters == seeds[0]
    assert {one.name for one in tunables(made.source)} == {"BLOCK_M", "BLOCK_N"}
    plain = subject.code(view(), Idea(text="", backend="cpp", parameters=seeds[0]))
    assert plain is not None and normal_form(plain.source) == normal_form(made.source)


def test_torch_compile_is_a_seed_only_where_nothing_fits() -> None:
    nothing = OfflineProposer(TASK, lambda: None, 1)
    (point,) = nothing.seeds(BOTH)
    assert nothing.seed(dict(point), BOTH).backend == "inductor"
    assert nothing.seeds(("cpp",)) == nothing.seeds(("torch",)) == []
    with pytest.raises(NotCoveredError):
        nothing.seed({APPROACH: "library"}, BOTH)
