"""Whole searches that start from what is known: offline's files, numbers, a scripted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.agents.offline.proposer import INDUCTOR, OfflineProposer
from kernelwright.agents.search.best_of_n import BestOfN
from kernelwright.agents.tunables import point_of, tunables
from kernelwright.schema import Attempt, Candidate, Evaluation, Move, Scalar, Status
from kernelwright.tasks.loader import load_task
from tests.agents.model_kit import TASK, block, file, loopback_server
from tests.agents.offline_kit import library_graph
from tests.agents.workflow_kit import ByPlan, Evaluate, Outcome, run, scripted
from tests.llm.conftest import Hosted, openai_hosted
from tests.store import samples

TUNABLE = file("tunable") + "SOURCE = r'''\n// tune: TILE 8 16 32 64\n#define TILE 8\n'''\n"
SPEEDS: dict[Scalar, float] = {8: 2.0, 16: 2.2, 32: 3.5, 64: 2.4}
SEEDED = 1.5


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with loopback_server() as server:
        yield openai_hosted(server)


@pytest.fixture(scope="module")
def offline() -> OfflineProposer:
    """Return the optimizer of the library's softmax."""
    graph = library_graph("softmax")
    return OfflineProposer(load_task("softmax"), lambda: graph, 0)


def judged(candidate: Candidate) -> Evaluation:
    """Return the speedup of a file by its tile; SEEDED where it has none."""
    numbers = dict(point_of(candidate.source))
    speedup = SPEEDS[numbers["TILE"]] if "TILE" in numbers else SEEDED
    return samples.evaluation(candidate, speedup, for_task=TASK)


def operators(outcome: Outcome) -> list[str]:
    return [attempt.move.operator for attempt in outcome.history]


def test_seeds_are_measured_first_and_shown_to_the_model(
    hosted: Hosted, tmp_path: Path, offline: OfflineProposer
) -> None:
    scripted(hosted, block(file(0)))
    outcome = run(hosted, tmp_path, judged, attempts=3, offline=offline, tune=0)
    seed, *_ = outcome.history
    assert operators(outcome) == ["seed", "improve", "improve"]
    assert seed.plan.startswith("Library kernels: softmax") and seed.candidate is not None
    assert seed.candidate.origin.kind == "offline" and seed.candidate.backend == "cpp"
    assert [t.name for t in tunables(seed.candidate.source)] == ["UNROLL"]
    assert outcome.roles[:2] == ["planner", "coder"]
    planned, coded = (str(asked.body["messages"]) for asked in outcome.stage.asked[:2])
    assert "softmax_cpp" in planned and "softmax_cpp" in coded and "1.50x eager" in planned
    written = outcome.history[1].candidate
    assert written is not None and written.parents == (seed.candidate.hash,)
    assert seed.usage.cost_usd == 0 and seed.diagnosis == ""


def test_torch_compile_is_the_seed_where_no_kernel_fits(hosted: Hosted, tmp_path: Path) -> None:
    nothing = OfflineProposer(load_task("softmax"), lambda: None, 0)
    scripted(hosted, block(file(0)))

    def evaluate(candidate: Candidate) -> Evaluation:
        compiled = "baseline" if candidate.backend == INDUCTOR else None
        found = samples.evaluation(candidate, 1.4, for_task=TASK)
        return found.model_copy(update={"compiled": compiled})

    outcome = run(hosted, tmp_path, evaluate, attempts=3, offline=nothing)
    assert operators(outcome) == ["seed", "fresh", "improve"]
    assert outcome.history[0].candidate and outcome.history[0].candidate.backend == INDUCTOR
    planned = str(outcome.stage.asked[0].body["messages"])
    assert "torch.compile takes" in planned and "There is no accepted code yet" in planned
    again = run(hosted, tmp_path / "none", judged, attempts=3, offline=nothing, seeds=0)
    assert operators(again) == ["fresh", "improve", "improve"]


def test_a_models_file_is_tuned_without_a_call(
    hosted: Hosted, tmp_path: Path, offline: OfflineProposer
) -> None:
    scripted(hosted, block(TUNABLE), *(block(file(number)) for number in range(9)))
    outcome = run(hosted, tmp_path, judged, attempts=9, offline=offline, seeds=0)
    assert operators(outcome).count("tune") == 3
    own = [a for a in outcome.history if a.move.operator == "tune"]
    assert {a.plan for a in own} == {"tune: TILE=16", "tune: TILE=32", "tune: TILE=64"}
    for attempt in own:
        made = attempt.candidate
        assert made is not None and made.origin.model == "openai/gpt-4o"
        assert made.origin.strategy == "tuner" and len(made.parents) == 1
        assert made.origin.parameters == dict(point_of(made.source))
        assert attempt.usage.cost_usd == 0
    asked = {call.attempt for call in outcome.stage.calls}
    assert asked.isdisjoint(a.index for a in own)
    assert "#define TILE 32" in outcome.stage.last_word()


def test_a_tuned_number_that_is_not_built_asks_for_no_repair(
    hosted: Hosted, tmp_path: Path, offline: OfflineProposer
) -> None:
    def evaluate(candidate: Candidate) -> Evaluation:
        bad = ("TILE", 8) not in point_of(candidate.source)
        status = Status.COMPILE_ERROR if bad else Status.PASSED
        return samples.evaluation(candidate, None if bad else 2.0, status=status, for_task=TASK)

    scripted(hosted, block(TUNABLE))
    outcome = run(hosted, tmp_path, evaluate, attempts=3, offline=offline, seeds=0, repairs=2)
    assert operators(outcome)[:2] == ["fresh", "tune"]
    assert outcome.history[1].evaluation is not None
    assert {call.attempt for call in outcome.stage.calls} == {0, 2}
    told = str(outcome.stage.asked[-1].body["messages"])
    assert "tune: TILE=" not in told  # neither tried, nor still open


def test_best_of_n_is_shown_no_seed(
    hosted: Hosted, tmp_path: Path, offline: OfflineProposer
) -> None:
    scripted(hosted, block(file(0)), block(file(1)))
    outcome = run(hosted, tmp_path, judged, attempts=3, offline=offline, strategy=BestOfN(), tune=0)
    assert operators(outcome) == ["seed", "fresh", "fresh"]
    assert all("softmax_cpp" not in str(asked.body) for asked in outcome.stage.asked)


class Killed(BaseException):
    """A stand-in for the end of the process: nothing catches it."""


@pytest.mark.parametrize("proposals", [1, 3])
@pytest.mark.parametrize("die_at", [1, 2, 4, 6])
def test_a_killed_search_ends_like_one_that_was_not(
    hosted: Hosted, tmp_path: Path, offline: OfflineProposer, die_at: int, proposals: int
) -> None:
    seen: list[str] = []

    def evaluate(candidate: Candidate) -> Evaluation:
        seen.append(candidate.source)
        if len(seen) == die_at:
            raise Killed
        return by_hash(candidate)

    def by_hash(candidate: Candidate) -> Evaluation:
        speedup = 1 + int(candidate.hash, 16) % 1000 / 500
        return samples.evaluation(candidate, speedup, for_task=TASK)

    hosted.loopback.respond = ByPlan(hosted)

    def search(name: str, judge: Evaluate) -> Outcome:
        folder = tmp_path / name
        return run(hosted, folder, judge, attempts=7, proposals=proposals, offline=offline)

    whole = search("whole", by_hash)
    requests = len(hosted.loopback.asked)
    assert {"seed", "tune", "improve"} <= set(operators(whole))
    with pytest.raises(Killed):
        search("killed", evaluate)
    again = search("killed", by_hash)
    assert _archive(again.history) == _archive(whole.history)
    assert len(hosted.loopback.asked) == 2 * requests


def _archive(attempts: list[Attempt]) -> list[object]:
    return [attempt.model_dump(mode="json", exclude={"span"}) for attempt in attempts]


def test_a_move_of_before_there_were_points_is_read() -> None:
    assert Move.model_validate_json('{"operator": "improve", "parent": 3}').point == ()
    point = (("approach", "library"), ("UNROLL", 4), ("SHARE", 0.5), ("FLAG", True))
    move = Move(operator="seed", point=point)
    read = Move.model_validate_json(move.model_dump_json())
    assert read == move and hash(read) == hash(move)
    assert [type(value) for _, value in read.point] == [str, int, float, bool]
