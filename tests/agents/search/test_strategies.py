"""Decisions of search strategies, given what was tried."""

from __future__ import annotations

from collections import Counter

import pytest

from kernelwright.agents.search.beam import BOTTLENECKS, WIDTH, Beam
from kernelwright.agents.search.best_of_n import BestOfN
from kernelwright.agents.search.evolve import ISLANDS, ROOTS, Evolve, archive
from kernelwright.agents.search.features import features
from kernelwright.agents.search.greedy import Greedy
from kernelwright.agents.search.ranking import MOST_REPAIRS, best_attempt, to_repair
from kernelwright.agents.search.scatter import TREES, Scatter
from kernelwright.agents.search.stopping import EMPTY_IN_A_ROW, reason_to_stop
from kernelwright.agents.search.strategy import STRATEGIES, open_strategy
from kernelwright.errors import UsageError
from kernelwright.prompts.hints import DIRECTIONS
from kernelwright.schema import Attempt, Evidence, Move, Status
from kernelwright.testing.search import search
from tests.agents.model_kit import attempt, file
from tests.store import samples

SEED = 3


def made(index: int, eager: float | None, move: Move | None = None) -> Attempt:
    return attempt(index, file(index), eager, move=move or Move())


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "best-of-n"])
def test_the_best_is_gone_on_from_before_long(name: str) -> None:
    history = search(open_strategy(name), [1.1, 1.2, 1.3, 9.0, *[1.0] * 12])
    assert any(a.move.parent == 3 for a in history[4:])


def test_independent_attempts_know_nothing() -> None:
    history = search(BestOfN(), [2.0, None, 3.0])
    assert {a.move for a in history} == {Move(leads_on=False)}


def test_greedy_repairs_then_goes_on_from_the_best() -> None:
    history = search(Greedy(), [2.0, 1.5, None, None, None, 3.0, 2.0])
    kinds = [(a.move.operator, a.move.parent) for a in history]
    assert kinds == [
        ("fresh", None),
        ("improve", 0),
        ("improve", 0),
        ("repair", 2),
        ("repair", 3),
        ("improve", 0),
        ("improve", 5),
    ]


def test_repairs_in_a_row_end_and_a_broken_reference_is_none() -> None:
    chain = [made(0, None)]
    for index in range(1, MOST_REPAIRS + 1):
        chain.append(made(index, None, Move(operator="repair", parent=index - 1)))
    assert to_repair(chain) == []
    assert [a.index for a in to_repair(chain[:-1])] == [MOST_REPAIRS - 1]
    assert to_repair([attempt(0, file(0), None, status=Status.INVALID_REFERENCE)]) == []
    assert to_repair([samples.attempt(0, error="no worker")]) == []


def test_beam_takes_the_fastest_in_every_way_before_any_comes_again() -> None:
    history = [made(index, 1.0 + index) for index in range(5)]
    moves = Beam().choose(history, WIDTH * len(BOTTLENECKS), SEED)
    assert Counter(move.parent for move in moves) == {4: 2, 3: 2, 2: 2}
    assert Counter(move.direction for move in moves) == dict.fromkeys(BOTTLENECKS, WIDTH)
    tried = [*history, *(made(5 + i, 0.5, move) for i, move in enumerate(moves[:1]))]
    assert Beam().choose(tried, 1, SEED)[0] == moves[1]


def test_islands_take_turns_and_start_for_themselves() -> None:
    history = search(Evolve(), [1.0 + index / 10 for index in range(ISLANDS * ROOTS + 3)])
    assert [a.move.island for a in history] == [i % ISLANDS for i in range(len(history))]
    assert {a.move.operator for a in history[: ISLANDS * ROOTS]} == {"fresh"}
    assert all(a.move.parent is not None for a in history[ISLANDS * ROOTS :])


def test_an_archive_keeps_the_best_of_every_kind() -> None:
    plain = [attempt(0, file(0), 1.5), attempt(1, file(1), 2.0)]
    tiled = attempt(2, "constexpr int BLOCK_N = 64;\n" + file(2), 1.2)
    assert archive([*plain, tiled]) == [plain[1], tiled]
    assert features(tiled) != features(plain[0])
    bound = Evidence(level="events", bound="memory")
    memory = attempt(3, file(3), 1.1, evidence=bound)
    assert len(archive([*plain, tiled, memory])) == 3


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("__shared__ float tile[32];", "shared"),
        ("_mm256_stream_ps(p, v);", "streaming"),
        ("pack(b, panel);", "packed"),
        ("x = y", "plain"),
        ("BLOCK: tl.constexpr = 128", "4^4"),
        ("constexpr int kTile = 16, Unroll{4};", "4^3"),
    ],
)
def test_what_is_read_out_of_a_source(source: str, part: str) -> None:
    assert part in features(attempt(0, source))


def test_trees_start_in_directions_of_their_own() -> None:
    history = search(Scatter(), [1.0] * TREES)
    assert [a.move.island for a in history] == list(range(TREES))
    assert len({a.move.direction for a in history}) == TREES
    side_by_side = search(Scatter(), [1.0] * TREES, TREES)
    assert [a.move for a in side_by_side] == [a.move for a in history]


def test_what_a_direction_gained_counts_in_all_trees() -> None:
    roots = search(Scatter(), [1.0] * TREES)
    history = list(roots)
    for place, direction in enumerate(DIRECTIONS * 2):
        gained = 4.0 if direction == DIRECTIONS[2] else 1.0
        move = Move(operator="improve", parent=0, direction=direction, island=place % TREES)
        history.append(made(len(history), gained, move))
    chosen = Scatter().choose(history, 1, SEED)[0]
    assert chosen.direction == DIRECTIONS[2]


def test_when_going_on_is_not_worth_it() -> None:
    better = [made(index, 1.0 + index / 10) for index in range(6)]
    assert reason_to_stop([], 3) is None
    assert reason_to_stop(better, 3) is None
    stale = [*better, *(made(6 + index, 1.5) for index in range(3))]
    assert reason_to_stop(stale, 4) is None
    assert reason_to_stop(stale, 3) == "no progress in 3 attempts"
    dropped = [samples.attempt(i, dropped="no usable answer") for i in range(EMPTY_IN_A_ROW)]
    assert reason_to_stop([*better, *dropped[:-1]], 9) is None
    assert "without new code" in (reason_to_stop([*better, *dropped], 9) or "")
    lost = [samples.attempt(6 + index, error="no worker") for index in range(9)]
    assert reason_to_stop([*better, *lost], 3) is None


@pytest.mark.parametrize(
    ("share", "words"), [(0.9, None), (0.97, "97%"), (1.0, "100%"), (1.2, None), (None, None)]
)
def test_a_search_ends_at_a_roof_that_can_be(share: float | None, words: str | None) -> None:
    best = attempt(0, file(0), 9.0, evidence=Evidence(level="events", roof_fraction=share))
    expected = words and f"the best attempt reaches {words} of the measured roof"
    assert reason_to_stop([best], 3) == expected


def test_an_unknown_strategy_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown search strategy 'gredy'") as caught:
        open_strategy("gredy")
    assert "greedy" in str(caught.value.hint)
    with pytest.raises(UsageError, match="has no 'Nothing'"):
        open_strategy("kernelwright.agents.search.greedy:Nothing")
    own = open_strategy("kernelwright.agents.search.greedy:Greedy")
    assert best_attempt([]) is None and isinstance(own, Greedy)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os:path", "os:path is not a search strategy, but of type 'module'"),
        ("os:system", "os:system cannot be called without arguments"),
        ("pathlib:Path", r"pathlib:Path is not a search strategy: it has no choose\(\)"),
        (":path", "unknown search strategy ':path'"),
        ("os..path:join", "unknown search strategy"),
        ("nowhere:Search", "cannot import nowhere"),
    ],
)
def test_what_is_no_strategy_is_a_usage_error(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        open_strategy(name)
    assert caught.value.hint
