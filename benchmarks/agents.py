"""Episodes: kills, budgets, cached tokens, tokens beside `fixed`, and the time that tools take.

    python -m benchmarks.agents [--part kills|budgets|cache|tokens|tools] [--count N]

No model is paid. Models are scripted, and answer over HTTP on this machine in the providers' wire
formats; what a real one would gain is not measured here. Everything is drawn from fixed seeds, but
for the moments at which a kill meets a process.

- `kills`: searches by episodes (tests/agents/crashes.py) are killed with SIGKILL at random moments,
  until `--count` kills (200). What a tool measures is another number each time, so a result that
  was measured again could not be mistaken for the stored one.
- `budgets`: `--count` (1,000) random schedules of prices, latencies, lost answers and up to eight
  episodes at once against a budget in dollars (tests/agents/schedules.py).
- `cache`: share of cached tokens in an episode of ten calls. The server counts prefixes as OpenAI
  (from 1,024 tokens, in steps of 128) and Anthropic (marks, 1,024 tokens, 20 blocks back) document
  it (tests/llm/prefixes.py); tokens are bytes / 4.
- `tokens`: an engineer with a fixed list of kernels for library/softmax (`kernels`) sends one after
  the other, whatever it is told; verdicts are made up. In `fixed` each is an answer of the coder,
  an edit of a file that the prompt shows or else the file; in `agent` an edit, with `check` and
  `time` in the same answer. Counted until the best kernel is with the judge. `paid` weighs input
  by the price table (cached, written) in units of fresh input; output counts as it is.
- `tools`: an episode on library/softmax with real builds and measurements. A call's overhead is the
  time between the model's answer and its next question, per tool, less what the judge took.

Writes results/agents.json; a part that is not run keeps its last figures.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from os import cpu_count, getloadavg
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks import prompts, results_file
from kernelwright.agents.episode.bench import Bench
from kernelwright.agents.episode.graph import Episode, Steps
from kernelwright.agents.episode.notes import notes_of
from kernelwright.agents.episode.tools import Toolset, offered
from kernelwright.agents.model.coder import read_written
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.ledger import Ledger
from kernelwright.agents.proposer import Idea, View
from kernelwright.kernels.runtime import complete, shortened
from kernelwright.llm.base import Completion, Request
from kernelwright.llm.prices import price_lists
from kernelwright.schema import Candidate, Criteria, Evaluation, Message, Move, Status
from kernelwright.store.store import open_store
from kernelwright.tasks.loader import load_task
from tests.agents import schedules
from tests.agents.crashes import Tooled, crash, episodes, provider, seconds_of
from tests.agents.episode.engineer import said, turns_taken
from tests.agents.episode.kit import MACHINE, Calls, calling
from tests.agents.model_kit import DIAGNOSIS, PLAN, Stage, loopback_server, role_of
from tests.agents.offline_kit import library_graph
from tests.agents.workflow_kit import Scripted, run
from tests.llm.conftest import Hosted, anthropic_hosted, responses_hosted
from tests.llm.loopback import Asked, Reply, anthropic_usage
from tests.llm.prefixes import BYTES_PER_TOKEN, PrefixCache
from tests.store import samples

TASK = load_task("library/softmax")
HOSTS = {"openai": responses_hosted, "anthropic": anthropic_hosted}
CALLS = 10
ROUNDS = 5
JUDGE = ("build", "compare", "evaluate")


class Kernel(NamedTuple):
    """A kernel of the engineer's list, and its verdict."""

    source: str
    status: Status
    speedup: float | None = None


def kernels() -> list[Kernel]:
    """Return the list: eight files, four of them wrong, the last one the best.

    It begins with what breaks a right idea in its first draft: a typing error and a wrong constant.
    """
    made = enumerate(prompts.files(TASK, library_graph("softmax")))
    # They differ in their tunables alone.
    texts = (shortened(text).replace(f"Attempt {number}.", "Softmax.") for number, text in made)
    first, second, third, fourth, *_ = texts
    wrong, failed, right = Status.INCORRECT_NUMERICAL, Status.COMPILE_ERROR, Status.PASSED
    return [
        Kernel(_with(first, "int x = ;"), failed),
        Kernel(_with(first, "static float scale = 2.0f;"), wrong),
        Kernel(first, right, 1.1),
        Kernel(_with(second, "int y = ;"), failed),
        Kernel(second, right, 0.9),
        Kernel(third, right, 2.2),
        Kernel(_with(fourth, "static int tail = 1;"), wrong),
        Kernel(fourth, right, 2.9),
    ]


def _with(source: str, line: str) -> str:
    entry = 'extern "C"'
    return source.replace(entry, f"{line}\n{entry}", 1)


def edit(old: str, new: str) -> tuple[str, str]:
    """Return lines that stand once in `old`, with all that differs, and what makes `new` of it."""
    before, after = old.splitlines(True), new.splitlines(True)
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    while True:
        found = "".join(before[start : len(before) - end])
        if found.strip() and old.count(found) == 1:
            return found, "".join(after[start : len(after) - end])
        start, end = max(0, start - 1), max(0, end - 1)


class Meter:
    """A provider that counts tokens, with a cache."""

    def __init__(self, hosted: Hosted, answer: Callable[[Asked], Reply]) -> None:
        self._hosted, self._answer = hosted, answer
        self._cache = PrefixCache(least=1024)
        provider_name, model = hosted.llm.name.split("/")
        price = price_lists()[provider_name].models[model]
        self._cached_at = (price.cached_input or price.input) / price.input
        self._written_at = (price.cache_write or price.input) / price.input
        self.calls = self.tokens = self.input = self.cached = 0
        self.paid = 0.0

    def __call__(self, asked: Asked) -> Reply:
        """Answer, and count."""
        count, reply = self._cache.counted(asked), self._answer(asked)
        assert isinstance(reply.body, dict)
        content = reply.body.get("output") or reply.body.get("content")
        spoken = len(json.dumps(content)) // BYTES_PER_TOKEN
        fresh = count.tokens - count.cached - count.written
        reply.body["usage"] = (
            anthropic_usage(fresh, spoken, read=count.cached, written=count.written)
            if "anthropic" in self._hosted.llm.name
            else self._hosted.usage(count.tokens, spoken, count.cached)
        )
        self.calls += 1
        self.tokens += count.tokens + spoken
        self.input += count.tokens
        self.cached += count.cached
        weighed = self._cached_at * count.cached + self._written_at * count.written
        self.paid += fresh + weighed + spoken
        return reply

    def figures(self) -> dict[str, Any]:
        """Return what was counted."""
        share, paid = round(self.cached / self.input, 3), round(self.paid)
        return {"calls": self.calls, "tokens": self.tokens, "paid": paid, "cached_share": share}


def turns(listed: list[Kernel]) -> Iterator[Calls]:
    """Yield what the engineer calls, one answer for each kernel, and last `submit`."""
    yield [("write_file", {"source": listed[0].source}), ("check", {})]
    for before, kernel in zip(listed, listed[1:], strict=False):
        old, new = edit(before.source, kernel.source)
        yield [("edit", {"old": old, "new": new}), ("check", {}), ("time", {})]
    yield [("submit", {})]


def verdict(listed: list[Kernel]) -> Callable[[Candidate], Evaluation]:
    """Return a judge's function."""
    known = {complete(kernel.source): kernel for kernel in listed}

    def judged(candidate: Candidate) -> Evaluation:
        found = known[candidate.source]
        return samples.evaluation(candidate, found.speedup, status=found.status, for_task=TASK)

    return judged


class Engineer:
    """Sends the list's kernels, by tools where it is offered some; notes when the best is out."""

    def __init__(self, hosted: Hosted, listed: list[Kernel]) -> None:
        self._hosted, self._listed = hosted, listed
        self._turns = list(turns(listed))
        self._sent = 0
        self.is_done = False

    def __call__(self, asked: Asked) -> Reply:
        """Answer a request."""
        role = role_of(asked)
        if role != "coder":
            return said(self._hosted, PLAN if role == "planner" else DIAGNOSIS)
        if asked.body.get("tools"):
            taken = turns_taken(asked)
            self.is_done = taken + 1 == len(self._turns)
            return said(self._hosted, self._turns[taken])
        kernel = self._listed[min(self._sent, len(self._listed) - 1)]
        self._sent += 1
        self.is_done = self._sent == len(self._listed)
        return said(self._hosted, self._file(asked, kernel.source))

    def _file(self, asked: Asked, source: str) -> str:
        messages = asked.body.get("input") or asked.body["messages"]
        shown = str(next(one["content"] for one in messages if one["role"] == "user"))
        places = {one.source: shown.find(one.source.strip()) for one in self._listed}
        bases = [one for one, place in places.items() if place >= 0 and one != source]
        if not bases:
            return f"```python\n{source}```\n"
        old, new = edit(min(bases, key=places.__getitem__), source)
        return f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


def kills(count: int) -> dict[str, Any]:
    """Kill searches until there were `count` kills."""
    total = {"kills": 0, "searches": 0, "different": 0, "paid_twice": 0}
    total |= {"answers_lost": 0, "tool_results_lost": 0, "sent_again_in_flight": 0}
    with tempfile.TemporaryDirectory() as name:
        folder, asked = Path(name), Path(name) / "asked.jsonl"
        asked.touch()
        with provider(asked, Tooled) as hosted:
            seconds_of(hosted, folder / "whole", episodes)
            while total["kills"] < count:
                number = total["searches"]
                own, chance = folder / str(number), random.Random(number)
                found = crash(hosted, asked, own, folder / "whole", chance, episodes)
                total["kills"] += found.kills
                total["searches"] += 1
                total["different"] += not found.is_identical
                total["paid_twice"] += found.paid_twice
                total["answers_lost"] += found.lost
                total["tool_results_lost"] += found.tools_lost
                total["sent_again_in_flight"] += found.in_flight
    return total


def budgets(count: int) -> dict[str, Any]:
    """Play schedules."""
    with tempfile.TemporaryDirectory() as name, schedules.billing(Path(name)) as (server, store):
        found = [schedules.played(server, store, n, schedules.episodes) for n in range(count)]
    return {
        "schedules": count,
        "calls": sum(one.calls for one in found),
        "overshoots": sum(one.is_overshot for one in found),
        "fullest": round(max(one.billed_usd / one.limit_usd for one in found), 4),
    }


def cache(_count: int) -> dict[str, Any]:
    """Count the cached tokens of an episode of ten calls."""
    listed = kernels()
    ten = [*list(turns(listed))[:-1], [("search_notes", {"query": "vector"})], [("submit", {})]]
    found = {}
    for name, connect in HOSTS.items():
        with loopback_server() as server, tempfile.TemporaryDirectory() as folder:
            hosted = connect(server)
            meter = Meter(hosted, lambda asked, own=hosted: said(own, ten[turns_taken(asked)]))
            server.respond = meter
            stage = Stage(hosted, Path(folder), task=TASK, brief=Brief(MACHINE), uses_tools=True)
            view = View(TASK, 0, Move(), (), ("cpp",))
            with patch.object(Bench, "_judging", Scripted(verdict(listed))):
                stage.proposer.code(view, Idea(text="Fuse it.", backend="cpp"))
            assert meter.calls == CALLS
            found[name] = meter.figures()
    return found


def tokens(_count: int) -> dict[str, Any]:
    """Count the tokens until the best kernel is with the judge, in both workflows."""
    listed, found = kernels(), {}
    for name, connect in HOSTS.items():
        ways = {way: _until_best(connect, listed, way == "agent") for way in ("fixed", "agent")}
        ratio = {
            unit: round(ways["agent"][unit] / ways["fixed"][unit], 3) for unit in ("tokens", "paid")
        }
        found[name] = {**ways, "agent_to_fixed": ratio}
    return found


def _until_best(
    connect: Callable[..., Hosted], listed: list[Kernel], uses_tools: bool
) -> dict[str, Any]:
    with loopback_server() as server, tempfile.TemporaryDirectory() as folder:
        hosted = connect(server)
        engineer = Engineer(hosted, listed)
        meter = Meter(hosted, engineer)
        reached: dict[str, Any] = {}

        def respond(asked: Asked) -> Reply:
            reply = meter(asked)
            if engineer.is_done and not reached:
                reached.update(meter.figures())
            return reply

        server.respond = respond
        judged = verdict(listed)
        with patch.object(Bench, "_judging", Scripted(judged)):
            run(
                hosted,
                Path(folder),
                judged,
                attempts=1 if uses_tools else len(listed),
                repairs=2,
                task=TASK,
                brief=Brief(MACHINE),
                uses_tools=uses_tools,
            )
        return reached


class Clock:
    """A model that gives its answers in turn, and measures what lies between them."""

    def __init__(self, answers: Iterator[Completion]) -> None:
        self._answers = answers
        self._answered = time.perf_counter()
        self._judged = 0.0
        self.overheads: list[float] = []
        """Seconds from an answer to the next question, without the judge's."""

    def __call__(self, request: Request) -> Completion:
        """Return the next answer."""
        self.overheads.append(time.perf_counter() - self._answered - self._judged)
        self._judged, self._answered = 0.0, time.perf_counter()
        return next(self._answers)

    def around(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of the judge whose time is left out."""

        def outer(*args: Any) -> Any:
            start = time.perf_counter()
            try:
                return inner(*args)
            finally:
                self._judged += time.perf_counter() - start

        return outer


def tools(_count: int) -> dict[str, Any]:
    """Time the tools of an episode with real builds and measurements."""
    sources = [shortened(one) for one in prompts.files(TASK, library_graph("softmax"))]
    clock = Clock(_rounds(sources))
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "s.db") as store:
        store.add_run(samples.run())
        store.add_task(samples.RUN_ID, TASK)
        ledger = Ledger(store, samples.RUN_ID, TASK.id)
        steps = Steps(partial(ledger.tool_result, 0), partial(ledger.tool_done, 0))
        with Bench(TASK, MACHINE, Criteria()) as bench:
            judge = bench._judging
            toolset = Toolset(bench, TASK, (), notes_of("cpu", (), ()), lambda source: None)
            first = Request(
                messages=(Message(role="user", content="Make it fast."),),
                max_tokens=1000,
                tools=offered(toolset.tools()),
            )
            with patch.multiple(judge, **{n: clock.around(getattr(judge, n)) for n in JUDGE}):
                Episode(clock, first, read_written, bench, toolset, steps).run()
        kept = store.tool_steps_of(samples.RUN_ID, TASK.id)[0]
    # The first round starts workers and measures the reference.
    rest = {
        f"{name}_s": round(statistics.median(s.seconds for s in kept[4:] if s.name == name), 2)
        for name in ("build", "check", "time")
    }
    return {
        "load": round(getloadavg()[0], 1),
        "first_round_s": round(sum(step.seconds for step in kept[:4]), 2),
        "overhead_ms": round(1e3 * statistics.median(clock.overheads[2:]) / 4, 1),
        **rest,
    }


def _rounds(sources: list[str]) -> Iterator[Completion]:
    for source in sources[:ROUNDS]:
        look: Calls = [("build", {}), ("check", {}), ("time", {})]
        yield calling(("write_file", {"source": source}), *look)
    yield calling(("submit", {}))


PARTS: dict[str, tuple[Callable[[int], dict[str, Any]], int]] = {
    "kills": (kills, 200),
    "budgets": (budgets, 1000),
    "cache": (cache, 1),
    "tokens": (tokens, 1),
    "tools": (tools, 1),
}


def main() -> None:
    """Run parts, and store their figures beside those of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    path = results_file.RESULTS / "agents.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    figures = {name: known[name] for name in PARTS if name in known}
    for name in arguments.part or PARTS:
        work, count = PARTS[name]
        figures[name] = work(arguments.count or count)
        print(name, figures[name], flush=True)
    print(results_file.write("agents", figures, cpu_count() or 1))


if __name__ == "__main__":
    main()
