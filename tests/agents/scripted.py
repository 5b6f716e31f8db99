"""A deterministic scripted model for search: it proposes points of a measured tuning space.

It knows what a language model is shown, and no more: the parameters of the attempts that it goes on
from. A fresh proposal is a random point; an improvement changes one parameter, to a value beside it
twice out of three times; a combination takes each parameter from one of two attempts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kernelwright.agents.search.halving import is_promoted
from kernelwright.agents.search.ranking import best_attempt
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.prompts.hints import DIRECTIONS
from kernelwright.schema import (
    Attempt,
    Candidate,
    Evaluation,
    Move,
    Origin,
    SandboxInfo,
    Scalar,
    Span,
    Speedup,
    Status,
)

Point = tuple[Scalar, ...]
BESIDE = 2 / 3
FAST, STANDARD = 0.04, 0.01
"""Standard deviations of a speedup's logarithm: half of the `fast` ones are off by over 2.8%."""


class Landscape(NamedTuple):
    """A tuning space with the time of every point."""

    name: str
    parameters: dict[str, tuple[Scalar, ...]]
    """Values by name, in the order of their size."""
    times_us: dict[Point, float]

    @property
    def best_us(self) -> float:
        """The known optimum, in microseconds."""
        return min(self.times_us.values())


def landscape(document: Mapping[str, Any]) -> Landscape:
    """Return a stored landscape."""
    values = {name: tuple(sorted(found)) for name, found in document["parameters"].items()}
    times = {tuple(row[:-1]): row[-1] for row in document["microseconds"]}
    return Landscape(document["kernel"], values, times)


def proposed(space: Landscape, history: Sequence[Attempt], move: Move, seed: str) -> Point:
    """Return the point that the scripted model answers with."""
    chance = random.Random(seed)
    if move.parent is None:
        return tuple(chance.choice(values) for values in space.parameters.values())
    parent = _point(history, move.parent)
    if move.others:
        pair = zip(parent, _point(history, move.others[0]), strict=True)
        return tuple(chance.choice(both) for both in pair)
    place = chance.randrange(len(parent))
    if move.direction in DIRECTIONS:
        place = DIRECTIONS.index(move.direction) % len(parent)
    changed = list(parent)
    changed[place] = _other(list(space.parameters.values())[place], parent[place], chance)
    return tuple(changed)


def _point(history: Sequence[Attempt], index: int) -> Point:
    candidate = next(a.candidate for a in history if a.index == index)
    assert candidate is not None
    return tuple(candidate.origin.parameters.values())


def _other(values: Sequence[Scalar], now: Scalar, chance: random.Random) -> Scalar:
    place = values.index(now)
    beside = [values[i] for i in (place - 1, place + 1) if 0 <= i < len(values)]
    rest = [value for value in values if value != now]
    return chance.choice(beside if chance.random() < BESIDE else rest)


def evaluations_needed(
    space: Landscape, strategy: SearchStrategy, seed: int, share: float, limit: int
) -> int:
    """Return the evaluations until a point has `share` of the best speed, at most `limit`."""

    def judged(index: int, move: Move, point: Point, history: Sequence[Attempt]) -> Attempt:
        return _attempt(space, index, move, point, space.times_us[point])

    found = _search(space, strategy, seed, limit, judged)
    for count, attempt in enumerate(found, 1):
        if space.times_us[_point([attempt], attempt.index)] <= space.best_us / share:
            return count
    return limit


class Pick(NamedTuple):
    """The outcome of a search with noisy measurements."""

    share: float
    """Share of the best speed that the attempt which looks fastest truly has."""
    at_length: int
    """Number of attempts that were measured at length."""


def picked(
    space: Landscape, strategy: SearchStrategy, seed: int, evaluations: int, factor: int
) -> Pick:
    """Search with times that are off as `fast` and `standard` are; take the one that looks fastest.

    Args:
        factor: see `is_promoted`.
    """
    chance, at_length = random.Random(f"{seed}/noise"), 0

    def judged(index: int, move: Move, point: Point, history: Sequence[Attempt]) -> Attempt:
        nonlocal at_length
        true_us = space.times_us[point]
        attempt = _attempt(space, index, move, point, true_us * chance.lognormvariate(0, FAST))
        if attempt.evaluation and is_promoted(attempt.evaluation, history, factor):
            at_length += 1
            measured_us = true_us * chance.lognormvariate(0, STANDARD)
            return _attempt(space, index, move, point, measured_us)
        return attempt

    found = list(_search(space, strategy, seed, evaluations, judged))
    best = best_attempt(found)
    assert best is not None
    return Pick(space.best_us / space.times_us[_point(found, best.index)], at_length)


Judged = Callable[[int, Move, Point, Sequence[Attempt]], Attempt]


def _search(
    space: Landscape, strategy: SearchStrategy, seed: int, limit: int, judged: Judged
) -> Iterator[Attempt]:
    """Yield attempts that were evaluated, at most `limit`.

    Points that were evaluated before are dropped, as the workflow drops files; after four times
    `limit` tries in all nothing more comes.
    """
    history: list[Attempt] = []
    known: set[Point] = set()
    for index in range(4 * limit):
        (move,) = strategy.choose(history, 1, seed)
        point = proposed(space, history, move, f"{seed}/{index}")
        if point in known:
            history.append(_attempt(space, index, move, point, None))
            continue
        known.add(point)
        history.append(judged(index, move, point, history))
        yield history[-1]
        if len(known) == limit:
            break


def _attempt(
    space: Landscape, index: int, move: Move, point: Point, time_us: float | None
) -> Attempt:
    parameters = dict(zip(space.parameters, point, strict=True))
    origin = Origin(kind="model", model="scripted", parameters=parameters)
    candidate = Candidate(source=str(parameters), backend="cpp", origin=origin)
    return Attempt(
        run_id="landscape",
        task_id=space.name,
        index=index,
        move=move,
        candidate=candidate,
        evaluation=None if time_us is None else _verdict(candidate, time_us, space),
        dropped="tried before" if time_us is None else None,
        span=Span(started=0, ended=0),
    )


def _verdict(candidate: Candidate, time_us: float, space: Landscape) -> Evaluation:
    # Any fixed time would do for eager's.
    speedup = max(space.times_us.values()) / time_us
    return Evaluation(
        task_hash=space.name,
        candidate_hash=candidate.hash,
        backend="cpp",
        status=Status.PASSED,
        reason="replayed",
        level="fast",
        tolerance="default",
        speedup={"eager": Speedup(median=speedup, ci95=(speedup, speedup))},
        sandbox=SandboxInfo(kind="none"),
        duration_s=0.0,
        worker_version="none",
    )
