"""Search strategies on measured landscapes, kills, budgets, and the overhead of an attempt.

    python -m benchmarks.search [--part strategies|halving|crashes|budgets|overhead]...

No language model is used: strategies are compared on stored landscapes (`benchmarks.landscapes`)
with a scripted model that knows what a language model would be shown (`tests/agents/scripted.py`).
Writes results/search.json; parts that are not run stay as stored.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import landscapes, results_file
from kernelwright.agents.search.strategy import SearchStrategy, open_strategy
from kernelwright.config import Settings
from kernelwright.schema import Attempt, Move
from kernelwright.store.store import open_store
from tests.agents.crashes import Crash, crash, provider, seconds_of
from tests.agents.overhead import attempt_ms
from tests.agents.schedules import billing, played
from tests.agents.scripted import FAST, STANDARD, Landscape, evaluations_needed, landscape, picked

Figures = dict[str, Any]
STRATEGIES = ("best-of-n", "greedy", "beam", "evolve", "scatter")
RANDOM = "random"
SEEDS, SHARE, LIMIT = 50, 0.95, 200
PICKED_FROM = 24
KILLS, SCHEDULES = 200, 1000
STORED = (10, 100, 1000, 10_000)


class Random:
    """Random search, like `best-of-n` with a model that proposes every point equally often."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        return [Move()] * count


def main() -> None:
    """Run the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=list(PARTS))
    stored = results_file.RESULTS / "search.json"
    figures = json.loads(stored.read_text())["parts"] if stored.exists() else {}
    os.environ["NO_PROXY"] = "127.0.0.1"
    for name in parser.parse_args().part or PARTS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            figures[name] = PARTS[name](Path(scratch))
        figures[name]["seconds"] = round(time.monotonic() - start)
        print(name, json.dumps(figures[name], indent=1), flush=True)
        print(results_file.write("search", {"parts": figures}, os.cpu_count() or 1))


def strategies(_scratch: Path) -> Figures:
    """Count the evaluations until 95% of the known optimum: medians over seeds, by landscape."""
    spaces = [landscape(document) for document in landscapes.stored().values()]
    names = (RANDOM, *STRATEGIES)
    table = {space.name: {name: needed(space, name) for name in names} for space in spaces}
    ratios = {
        name: statistics.geometric_mean(row[name] / row[RANDOM] for row in table.values())
        for name in names
    }
    return {
        "share": SHARE,
        "seeds": SEEDS,
        "points": {space.name: len(space.times_us) for space in spaces},
        "good_points": {space.name: good(space) for space in spaces},
        "median_evaluations": table,
        "of_random": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "default": Settings().search,
    }


def halving(_scratch: Path) -> Figures:
    """Compare the results of searches on noisy times, with and without longer measurements."""
    spaces = [landscape(document) for document in landscapes.stored().values()]
    strategy = open_strategy(Settings().search)
    found = {
        str(factor): [
            picked(space, strategy, seed, PICKED_FROM, factor)
            for space in spaces
            for seed in range(SEEDS)
        ]
        for factor in (0, Settings().halving, 1)
    }
    return {
        "evaluations": PICKED_FROM,
        "noise": {"fast": FAST, "standard": STANDARD},
        "mean_share_of_optimum": {
            factor: round(statistics.mean(pick.share for pick in picks), 4)
            for factor, picks in found.items()
        },
        "measured_at_length": {
            factor: round(statistics.mean(pick.at_length for pick in picks), 1)
            for factor, picks in found.items()
        },
    }


def good(space: Landscape) -> int:
    """Count the points within `SHARE` of the optimum."""
    return sum(time_us <= space.best_us / SHARE for time_us in space.times_us.values())


def needed(space: Landscape, name: str) -> float:
    """Return the median over seeds of the evaluations that a strategy needs."""
    strategy: SearchStrategy = Random() if name == RANDOM else open_strategy(name)
    limit = min(LIMIT, len(space.times_us))
    found = [evaluations_needed(space, strategy, seed, SHARE, limit) for seed in range(SEEDS)]
    return statistics.median(found)


def crashes(scratch: Path) -> Figures:
    """Kill searches with SIGKILL at random points, until there were enough kills."""
    asked = scratch / "asked.jsonl"
    asked.touch()
    found: list[Crash] = []
    with provider(asked) as hosted:
        whole_s = seconds_of(hosted, scratch / "whole")
        while sum(one.kills for one in found) < KILLS:
            folder = scratch / str(len(found))
            chance = random.Random(len(found))
            found.append(crash(hosted, asked, folder, scratch / "whole", chance))
    return {
        "kills": sum(one.kills for one in found),
        "searches": len(found),
        "identical": sum(one.is_identical for one in found),
        "answers_paid_twice": sum(one.paid_twice for one in found),
        "answers_lost": sum(one.lost for one in found),
        "sent_again_as_under_way": sum(one.in_flight for one in found),
        "whole_search_s": round(whole_s, 2),
    }


def budgets(scratch: Path) -> Figures:
    """Play random schedules of prices, latencies and parallel callers against a budget."""
    with billing(scratch) as (server, store):
        outcomes = [played(server, store, seed) for seed in range(SCHEDULES)]
    shares = [outcome.billed_usd / outcome.limit_usd for outcome in outcomes if outcome.calls]
    return {
        "schedules": len(outcomes),
        "calls": sum(outcome.calls for outcome in outcomes),
        "overshoots": sum(outcome.is_overshot for outcome in outcomes),
        "most_of_a_budget": round(max(shares), 4),
        "median_of_a_budget": round(statistics.median(shares), 4),
    }


def overhead(scratch: Path) -> Figures:
    """Measure an attempt's milliseconds outside model, build and worker, by stored attempts."""
    found = {}
    for count in STORED:
        with open_store(scratch / f"{count}.db") as store:
            found[str(count)] = round(attempt_ms(store, count), 2)
    return {"attempt_ms_by_stored_attempts": found}


PARTS: dict[str, Callable[[Path], Figures]] = {
    "strategies": strategies,
    "halving": halving,
    "crashes": crashes,
    "budgets": budgets,
    "overhead": overhead,
}


if __name__ == "__main__":
    main()
