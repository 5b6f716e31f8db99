"""The choice of files and numbers to tune, and of when a model's turn comes."""

from __future__ import annotations

import itertools
import math

import pytest

from kernelwright.agents.search.known import SHARE, FromKnown
from kernelwright.agents.search.stopping import reason_to_stop
from kernelwright.agents.search.strategy import STRATEGIES, open_strategy
from kernelwright.agents.search.tuning import WORTH, tuning_moves
from kernelwright.agents.tunables import Point, point_of, with_numbers
from kernelwright.schema import Attempt, Move, SearchSettings
from tests.agents.model_kit import attempt, file
from tests.store import samples

SEED = 3
MOST = 8
TILES, UNROLLS = (8, 16, 32, 64, 128), (1, 2, 4, 8)
TUNABLE = (
    file("tunable") + f"SOURCE = r'''\n// tune: TILE {' '.join(map(str, TILES))}\n#define TILE 8\n"
    f"// tune: UNROLL {' '.join(map(str, UNROLLS))}\n#define UNROLL 1\n'''\n"
)
SETTINGS = SearchSettings(attempts=None, seeds=2, tune=MOST)


def speedup(point: Point) -> float:
    """Return a made-up speedup, best at 64 and 4."""
    tile, unroll = (math.log2(float(number)) for _, number in point)
    return 4.0 / (1 + 0.2 * abs(tile - 6) + 0.1 * abs(unroll - 2))


def tried(index: int, move: Move, source: str = TUNABLE) -> Attempt:
    """Return the attempt that a tuning move leads to."""
    made = with_numbers(source, move.point)
    return attempt(index, made, speedup(move.point), move=move)


def tuned(seed: int, count: int) -> list[Attempt]:
    """Return a right, badly tuned file and what the tuner makes of it, a move a round."""
    history = [attempt(0, TUNABLE, speedup(point_of(TUNABLE)))]
    for index in range(1, count + 1):
        history += (tried(index, move) for move in tuning_moves(history, 1, MOST, seed))
    return history


def test_numbers_alone_come_near_the_best() -> None:
    best = max(speedup((("TILE", t), ("UNROLL", u))) for t, u in itertools.product(TILES, UNROLLS))
    for seed in range(5):
        history = tuned(seed, MOST + 3)
        assert len(history) == MOST + 1
        assert len({a.candidate.source for a in history if a.candidate}) == MOST + 1
        reached = max(a.evaluation.speedup["eager"].median for a in history if a.evaluation)
        assert reached >= 0.8 * best


def test_the_same_attempts_and_seed_give_the_same_moves() -> None:
    assert [a.move for a in tuned(1, 5)] == [a.move for a in tuned(1, 5)]
    assert [a.move for a in tuned(1, 5)] != [a.move for a in tuned(2, 5)]


def test_moves_of_one_round_differ_and_go_on_from_the_best_of_the_family() -> None:
    history = tuned(0, 3)
    moves = tuning_moves(history, 4, MOST, SEED)
    best = max(history, key=lambda a: a.evaluation.speedup["eager"].median if a.evaluation else 0)
    assert len({move.point for move in moves}) == 4
    assert {(move.operator, move.parent) for move in moves} == {("tune", best.index)}


def test_a_small_space_is_tried_whole_and_then_left() -> None:
    source = file(0) + "# tune: BLOCK 64 128 256\nBLOCK = 128\n"
    history = [attempt(0, source, 2.0)]
    moves = tuning_moves(history, 9, MOST, SEED)
    assert {move.point for move in moves} == {(("BLOCK", 64),), (("BLOCK", 256),)}
    wrong, known = moves
    history.append(attempt(1, with_numbers(source, wrong.point), None, move=wrong))
    history.append(samples.attempt(2, dropped="the same file as attempt 1", move=known))
    assert tuning_moves(history, 9, MOST, SEED) == []


def test_what_is_wrong_slow_or_declares_nothing_is_not_tuned() -> None:
    wrong = attempt(0, TUNABLE, None)
    plain = attempt(1, file(1), 9.0)
    assert tuning_moves([wrong, plain], 4, MOST, SEED) == []
    fast, slow = attempt(2, TUNABLE, 4.0), TUNABLE.replace("tunable", "slow")
    pair = [fast, attempt(3, slow, 4.0 * WORTH * 0.9)]
    assert {m.parent for m in tuning_moves(pair, 40, 40, SEED)} == {2}
    pair = [fast, attempt(3, slow, 4.0 * WORTH * 1.1)]
    assert {m.parent for m in tuning_moves(pair, 40, 40, SEED)} == {2, 3}


def test_an_edited_file_is_a_family_of_its_own() -> None:
    history = tuned(0, MOST)
    assert tuning_moves(history, 1, MOST, SEED) == []
    edited = attempt(MOST + 1, TUNABLE.replace("#include", "//"), 3.0)
    other = attempt(MOST + 1, TUNABLE + "OTHER = 1\n", 3.0)
    assert tuning_moves([*history, edited], 1, MOST, SEED) == []
    assert len(tuning_moves([*history, other], 1, MOST, SEED)) == 1


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_strategy_tunes_a_third_at_most(name: str) -> None:
    strategy = FromKnown(open_strategy(name), (), SETTINGS)
    history: list[Attempt] = []
    while len(history) < 24:
        for move in strategy.choose(tuple(history), 4, SEED):
            index = len(history)
            own = TUNABLE.replace("tunable", str(index))
            parent = history[move.parent].candidate if move.parent is not None else None
            source = parent.source if move.operator == "tune" and parent else own
            made = with_numbers(source, move.point) if move.point else own
            history.append(attempt(index, made, speedup(point_of(made)), move=move))
        tunes = sum(a.move.operator == "tune" for a in history)
        assert tunes <= len(history) // SHARE
    assert tunes > 0
    assert any(a.move.operator in ("improve", "combine", "fresh") for a in history[4:])


def test_attempts_that_are_few_leave_room_for_models() -> None:
    history = tuned(0, 1)
    few = FromKnown(open_strategy("greedy"), (), SETTINGS.model_copy(update={"attempts": 5}))
    assert [m.operator for m in few.choose(history[:1], 1, SEED)] == ["tune"]
    assert [m.operator for m in few.choose(history, 1, SEED)] == ["improve"]
    none = FromKnown(open_strategy("greedy"), (), SETTINGS.model_copy(update={"tune": 0}))
    assert {m.operator for m in none.choose(history, 4, SEED)} == {"improve"}


SEEDS: list[Point] = [(("approach", "library"), ("UNROLL", 4)), (("approach", "triton"),)]


def test_seeds_come_first_and_alone() -> None:
    strategy = FromKnown(open_strategy("greedy"), SEEDS, SETTINGS)
    first = strategy.choose((), 4, SEED)
    assert [(m.operator, m.point) for m in first] == [("seed", point) for point in SEEDS]
    one = [attempt(0, file(0), 1.5, move=first[0])]
    assert strategy.choose(one, 4, SEED) == first[1:]
    both = [*one, attempt(1, file(1), 1.2, move=first[1])]
    assert {(m.operator, m.parent) for m in strategy.choose(both, 4, SEED)} == {("improve", 0)}
    later = [attempt(0, file(0), 1.5)]  # a run of before there were seeds
    assert {m.operator for m in strategy.choose(later, 4, SEED)} == {"improve"}


@pytest.mark.parametrize(("attempts", "count"), [(1, 0), (2, 0), (3, 1), (6, 2), (None, 2)])
def test_seeds_are_a_third_at_most(attempts: int | None, count: int) -> None:
    settings = SETTINGS.model_copy(update={"attempts": attempts})
    moves = FromKnown(open_strategy("greedy"), SEEDS, settings).choose((), 2, SEED)
    assert sum(move.operator == "seed" for move in moves) == count


@pytest.mark.parametrize("name", ["greedy", "beam", "evolve", "scatter"])
def test_every_strategy_goes_on_from_a_seed_before_long(name: str) -> None:
    strategy = FromKnown(open_strategy(name), SEEDS, SETTINGS)
    history: list[Attempt] = []
    while len(history) < 14:
        for move in strategy.choose(tuple(history), 4, SEED):
            index = len(history)
            fast = 9.0 if move.operator == "seed" else 1.0
            history.append(attempt(index, file(index), fast, move=move))
    assert any(a.move.operator == "improve" and a.move.parent in (0, 1) for a in history)


def test_a_failed_seed_is_not_repaired_and_torch_compile_is_nothing_to_go_on_from() -> None:
    strategy = FromKnown(open_strategy("greedy"), SEEDS[:1], SETTINGS)
    (move,) = strategy.choose((), 4, SEED)
    wrong = attempt(0, file(0), None, move=move)
    assert strategy.choose([wrong], 1, SEED) == [Move()]
    made = samples.candidate(file(0), "inductor")
    compiled = samples.attempt(0, made, evaluation=samples.evaluation(made, 3.0), move=move)
    assert strategy.choose([compiled], 1, SEED) == [Move()]


def test_numbers_that_gain_nothing_end_no_search() -> None:
    tune = Move(operator="tune", parent=0, point=point_of(TUNABLE))
    history = [attempt(0, TUNABLE, 2.0)]
    stale = [attempt(index, TUNABLE, 1.0, move=tune) for index in range(1, 9)]
    dropped = [samples.attempt(index, dropped="known", move=tune) for index in range(9, 13)]
    assert reason_to_stop([*history, *stale, *dropped], 3) is None
