"""The chart of speedup over attempts, as inline SVG: no scripts, no fonts, no requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from kernelwright.report import format as fmt
from kernelwright.schema import Attempt, Speedup

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 700, 18, 216
FAILED_Y = 240
AXIS_Y = 282
TICKS = (1, 2, 0.5, 4, 8, 0.25, 16, 1.5, 3, 0.75, 1.25, 6, 12, 24, 32, 64, 128, 256, 0.9, 1.1)
TICK_GAP = 30
MOST_LABELS = 15


@dataclass(frozen=True)
class Point:
    """One attempt in the chart."""

    index: int
    speedup: Speedup | None
    """Speedup over eager; None unless the attempt was accepted and timed."""
    best: float | None
    """Best median speedup among the accepted attempts so far."""
    outcome: str
    failed: bool
    """Whether the candidate was refused or wrong; False for an infrastructure error."""


class Scale(NamedTuple):
    """A map from attempts and speedups (logarithmic) to coordinates."""

    first: int
    last: int
    low: float
    high: float

    def x(self, index: int) -> float:
        if self.first == self.last:
            return (LEFT + RIGHT) / 2
        inner = RIGHT - LEFT - 32
        return LEFT + 16 + inner * (index - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        position = math.log(value / self.low) / math.log(self.high / self.low)
        return BOTTOM - (BOTTOM - TOP) * position


def points(attempts: Sequence[Attempt]) -> list[Point]:
    """Return the attempts, each with the best result so far."""
    made: list[Point] = []
    best: float | None = None
    for attempt in attempts:
        found = attempt.evaluation
        accepted = found is not None and found.accepted
        speedup = found.gain.speedup if found and found.gain and accepted else None
        if speedup is not None:
            best = max(best or speedup.median, speedup.median)
        lost = "infrastructure error" if attempt.dropped is None else "dropped"
        outcome = found.status.value if found else lost
        made.append(Point(attempt.number, speedup, best, outcome, bool(found and not accepted)))
    return made


def speedup_chart(made: Sequence[Point], name: str) -> Markup:
    """Return the chart as SVG; empty when no attempt was timed.

    Args:
        name: makes the chart's ids unique in the page.
    """
    if all(point.speedup is None for point in made):
        return Markup("")
    scale = _scale(made)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">Speedup over eager PyTorch by attempt</title>',
        f'<desc id="{name}-desc">{_description(made)}</desc>',
        *_axes(scale),
        _best_line(made, scale),
        *(_mark(point, scale) for point in made),
        "</svg>",
    ]
    return Markup("\n".join(parts))


def _scale(made: Sequence[Point]) -> Scale:
    ends = [1.0]
    for point in made:
        if point.speedup is not None:
            ends += [*point.speedup.ci95, point.speedup.median]
    positive = [end for end in ends if 0 < end < math.inf]
    low, high = min(positive) / 1.12, max(positive) * 1.12
    return Scale(made[0].index, made[-1].index, low, high)


def _description(made: Sequence[Point]) -> str:
    timed = sum(point.speedup is not None for point in made)
    best = made[-1].best
    shown = fmt.NOT_MEASURED if best is None else fmt.ratio(best)
    return f"{len(made)} attempts, {timed} of them accepted and timed; best {shown}."


def _axes(scale: Scale) -> list[str]:
    lines = []
    for tick in _chosen_ticks(scale):
        y = scale.y(tick)
        kind = "eager" if tick == 1 else "grid"
        lines.append(f'<line class="{kind}" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = f"{tick:g}×"
        lines.append(f'<text x="{LEFT - 10}" y="{y:.1f}" dy=".35em" class="end">{label}</text>')
    step = max(1, math.ceil((scale.last - scale.first + 1) / MOST_LABELS))
    for index in range(scale.first, scale.last + 1, step):
        lines.append(f'<text x="{scale.x(index):.1f}" y="{AXIS_Y}" class="mid">{index}</text>')
    return lines


def _chosen_ticks(scale: Scale) -> list[float]:
    chosen: list[float] = []
    for tick in TICKS:
        inside = scale.low <= tick <= scale.high
        if inside and all(abs(scale.y(tick) - scale.y(one)) >= TICK_GAP for one in chosen):
            chosen.append(tick)
    return chosen


def _best_line(made: Sequence[Point], scale: Scale) -> str:
    steps: list[str] = []
    for point in made:
        if point.best is None:
            continue
        x, y = scale.x(point.index), scale.y(point.best)
        steps.append(f"M{x:.1f} {y:.1f}" if not steps else f"H{x:.1f}V{y:.1f}")
    return f'<path class="best" d="{"".join(steps)}"/>'


def _mark(point: Point, scale: Scale) -> str:
    x = scale.x(point.index)
    title = f"<title>attempt {point.index}: {_words(point)}</title>"
    if point.speedup is None:
        kind = "failed" if point.failed else "missing"
        cross = f"M{x - 4:.1f} {FAILED_Y - 4}l8 8m0 -8l-8 8"
        ring = f"M{x - 4:.1f} {FAILED_Y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"
        return f'<path class="{kind}" d="{cross if point.failed else ring}">{title}</path>'
    low, high = (scale.y(min(max(end, scale.low), scale.high)) for end in point.speedup.ci95)
    whisker = f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    y = scale.y(point.speedup.median)
    return f'{whisker}<circle class="timed" cx="{x:.1f}" cy="{y:.1f}" r="4.5">{title}</circle>'


def _words(point: Point) -> str:
    return fmt.speedup(point.speedup) if point.speedup else point.outcome.replace("_", " ")
