"""The tuner: it chooses the numbers to try next in files that declare some, without a model.

Files that differ in these numbers alone are one family, a model's or not. One whose best file is
right and not far from the fastest is tuned with Optuna's TPE sampler, which is built anew from the
stored attempts and the seed each time.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kernelwright.agents.search.ranking import best_attempt, eager_speedup
from kernelwright.agents.tunables import Point, Tunable, family, point_of, tunables
from kernelwright.schema import Attempt, Move

if TYPE_CHECKING:
    import optuna

WORTH = 0.5
"""Share of the best speed from which a family is tuned: numbers seldom bring more."""
STARTUP = 4
"""Points that the sampler draws at random before it has learnt anything."""
MOST_REPEATED = 20
"""Points that the sampler may give again before one is drawn among those that were not tried."""


class Family(NamedTuple):
    """Attempts whose files differ in declared numbers alone."""

    best: Attempt
    """The fastest accepted one."""
    space: tuple[Tunable, ...]
    tried: dict[Point, float | None]
    """Speedup over eager by point; None where it is not right, or was dropped."""
    tuned: int
    """Number of attempts of the tuner's."""


def tuning_moves(attempts: Sequence[Attempt], count: int, most: int, seed: int) -> list[Move]:
    """Return moves that tune the fastest families, at most `count`; no point comes twice.

    Args:
        most: tuned attempts that a family may have.
        seed: the same attempts and seed give the same moves.
    """
    moves: list[Move] = []
    families = sorted(_families(attempts), key=lambda one: -_speedup(one))
    for one in families:
        wanted = min(count - len(moves), most - one.tuned)
        if wanted <= 0 or _speedup(one) < WORTH * _speedup(families[0]):
            continue
        points = itertools.islice(_points(one, f"{seed}/{len(attempts)}"), wanted)
        parent, island = one.best.index, one.best.move.island
        moves += (
            Move(operator="tune", parent=parent, island=island, point=point) for point in points
        )
    return moves


def _families(attempts: Sequence[Attempt]) -> Iterator[Family]:
    by_index = {attempt.index: attempt for attempt in attempts}
    groups: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        # A tuned one that was dropped as a known file has none of its own.
        is_tuned, parent = attempt.move.operator == "tune", attempt.move.parent
        file = by_index[parent] if is_tuned and parent is not None else attempt
        if file.candidate is not None and tunables(file.candidate.source):
            groups[family(file.candidate.source)].append(attempt)
    for group in groups.values():
        best = best_attempt(group)
        if best is not None and best.candidate is not None:
            tried = {_point(one): eager_speedup(one) for one in group}
            tuned = sum(one.move.operator == "tune" for one in group)
            yield Family(best, tunables(best.candidate.source), tried, tuned)


def _point(attempt: Attempt) -> Point:
    if attempt.move.operator == "tune" or attempt.candidate is None:
        return attempt.move.point
    return point_of(attempt.candidate.source)


def _speedup(one: Family) -> float:
    return eager_speedup(one.best) or 0.0


def _points(one: Family, seed: str) -> Iterator[Point]:
    """Yield points that were not tried, the most promising first."""
    every = itertools.product(*([(t.name, value) for value in t.values] for t in one.space))
    left: list[Point] = [point for point in every if point not in one.tried]
    study, chance = _study(one, seed), random.Random(seed)
    while left:
        point = next(_asked(study, one, left), None) or chance.choice(left)
        left.remove(point)
        yield point


def _asked(study: optuna.Study, one: Family, left: Sequence[Point]) -> Iterator[Point]:
    """Yield what the sampler asks for, as long as it is not known."""
    for _ in range(MOST_REPEATED):
        trial = study.ask()
        places = [trial.suggest_int(t.name, 0, len(t.values) - 1) for t in one.space]
        point = tuple((t.name, t.values[at]) for t, at in zip(one.space, places, strict=True))
        if point in left:
            yield point


def _study(one: Family, seed: str) -> optuna.Study:
    """Return a study that knows the points of a family; numbers are places among the values."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=random.Random(seed).randrange(2**32), n_startup_trials=STARTUP
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    complete, failed = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
    for point, speedup in one.tried.items():
        numbers = dict(point)
        study.add_trial(
            optuna.trial.create_trial(
                params={t.name: t.values.index(numbers[t.name]) for t in one.space},
                distributions={
                    t.name: optuna.distributions.IntDistribution(0, len(t.values) - 1)
                    for t in one.space
                },
                value=speedup,
                state=failed if speedup is None else complete,
            )
        )
    return study
