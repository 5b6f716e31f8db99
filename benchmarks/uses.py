"""Outcomes of the uses, and the cost of uses and guards.

    python -m benchmarks.uses [--part misuses|delivered|guarded|cost|guards]... [--only NAME]...
                              [--by offline|model]... [--minutes M] [--attempts 4] [--every 8]

`misuses`: every planted misuse of `tests/uses` is accepted by `verify` at level fast, and tried in
every use. `delivered`: each ordinary module goes through `optimize`, offline and with a scripted
model that answers with its file from `tests/uses/models_files`; the outcomes are those of the
strict verdict on what is delivered. `guarded`: each file of `tests/uses/models_files` is put behind
its guard as it would be delivered, however fast it is, and tried in every use; `strict` refuses
those with a use that is wrong or crashes. `cost`: outcomes of honest candidates, and seconds that
their uses take: of all at `standard`, of some at `strict`. `guards`: time of a guarded call less
that of its fast path. Parts that are not run keep their stored figures. Writes results/uses.json;
`guards` and `cost` need a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import guards, results_file
from benchmarks.verdict import measured_on
from kernelwright.agents.deliver import deliver
from kernelwright.backends.registry import guess_backend
from kernelwright.cli.verify import read_candidate
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.schema import Candidate, Level, UseResult
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.uses.catalogue import USES
from kernelwright.verifier.uses.run import RunUses
from tests.cli.kit import Shell
from tests.corpora import batches, judged
from tests.honest.corpus import load_corpus
from tests.llm.loopback import Asked, Loopback, Reply, openai_answer, openai_usage
from tests.uses.corpus import Misuse, misuses, model_files, modules
from tests.uses.trials import trial, tried
from tests.verifier.kit import machine

Figures = dict[str, Any]
THREADS = os.cpu_count() or 1
TIME_LIMIT = "90s"
LEVELS: tuple[Level, ...] = ("standard", "strict")
HARM = ("wrong", "crashes")
BACKENDS = ("cpp", "torch", "inductor")
PROPOSERS = ("offline", "model")


def main() -> None:
    """Run the chosen parts and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--only", action="append", help="modules of the next two [all]")
    parser.add_argument("--by", action="append", choices=PROPOSERS, help="of `delivered` [all]")
    parser.add_argument("--minutes", type=float, default=math.inf, help="of `delivered` [no end]")
    parser.add_argument("--attempts", type=int, default=4, help="of `delivered`, offline")
    parser.add_argument("--every", type=int, default=8, help="of `cost`, candidates at strict")
    arguments = parser.parse_args()
    stored = results_file.RESULTS / "uses.json"
    figures = json.loads(stored.read_text())["parts"] if stored.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.part or PARTS:
            start = time.monotonic()
            figures[name] = PARTS[name](Path(scratch), arguments, figures.get(name, {}))
            figures[name]["seconds"] = round(time.monotonic() - start)
            figures[name]["measured"] = measured_on()
            print(name, {k: v for k, v in figures[name].items() if k != "rows"}, flush=True)
            print(results_file.write("uses", {"parts": figures}, THREADS))


# -- misuses --------------------------------------------------------------------------------------


def planted(scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Count the misuses that a verdict without uses accepts, and those that a use finds."""
    found = sorted(misuses(), key=lambda misuse: misuse.module)
    jobs = []
    for task, group in groupby(found, key=lambda misuse: misuse.task):
        files = list(dict.fromkeys(misuse.path for misuse in group))
        jobs += batches(str(task), "fast", "any", files)
    verdicts = judged(jobs, scratch / "fast")
    rows = [
        _misuse_row(misuse, results, verdicts[misuse.path])
        for misuse, results in _tried(found, scratch / "builds")
    ]
    accepted = [row for row in rows if row["accepted_at_fast"]]
    return {
        "misuses": len(rows),
        "accepted_at_fast": len(accepted),
        "found": sum(bool(row["found_by"]) for row in rows),
        "found_by_the_use_meant": sum(row["as_meant"] for row in rows),
        "missed": [row["misuse"] for row in rows if not row["as_meant"]],
        "rows": rows,
    }


def _tried(found: list[Misuse], cache: Path) -> Iterator[tuple[Misuse, tuple[UseResult, ...]]]:
    for task, group in groupby(found, key=lambda misuse: misuse.task):
        of_task = list(group)
        pairs = [(misuse.path, USES) for misuse in of_task]
        yield from zip(of_task, tried(task, pairs, machine(THREADS), cache), strict=True)


def _misuse_row(misuse: Misuse, results: tuple[UseResult, ...], fast: Figures) -> Figures:
    known = {result.use: result.outcome for result in results}
    return {
        "misuse": misuse.name,
        "module": misuse.module,
        "meant": misuse.uses,
        "accepted_at_fast": fast.get("accepted"),
        "reason": fast["reason"],
        "found_by": {use: known[use] for use in known if known[use] in (*HARM, "raises")},
        "as_meant": any(known.get(use) in misuse.outcomes for use in misuse.uses),
    }


# -- delivered files ------------------------------------------------------------------------------


def delivered(scratch: Path, arguments: argparse.Namespace, stored: Figures) -> Figures:
    """Count delivered files, and the outcomes of their uses."""
    chosen = [path for path in modules() if not arguments.only or path.stem in arguments.only]
    rows = {(row["module"], row["by"]): row for row in stored.get("rows", [])}
    shell, files = Shell(scratch / "home"), model_files()
    shell.folder.mkdir()
    end = time.monotonic() + 60 * arguments.minutes
    for path in chosen:
        for by in arguments.by or PROPOSERS:
            if time.monotonic() > end or (by == "model" and path not in files):
                continue
            if by == "offline":
                offline = ("--attempts", str(arguments.attempts), "--time-limit", TIME_LIMIT)
                document = _optimize(shell, path, *offline)
            else:
                document = _scripted(shell, path, files[path])
            row = rows[path.stem, by] = _delivered_row(path, by, document)
            print(row, flush=True)
    return _delivered_summary(list(rows.values()), arguments.attempts)


def _delivered_summary(rows: list[Figures], attempts: int) -> Figures:
    files_made = [row for row in rows if row["status"] == "improved"]
    outcomes = Counter(outcome for row in files_made for outcome in row["uses"].values())
    return {
        "modules": len({row["module"] for row in rows}),
        "files": len(files_made),
        "files_of_models": sum(row["by"] == "model" for row in files_made),
        "uses": sum(outcomes.values()),
        "outcomes": dict(outcomes),
        "wrong_or_crashing": [row["module"] for row in files_made if _harms(row)],
        "attempts": attempts,
        "rows": rows,
    }


def _harms(row: Figures) -> bool:
    return any(outcome in HARM for outcome in row["uses"].values())


def _optimize(shell: Shell, path: Path, *options: str, **env: str) -> Figures:
    """Return the result document of `optimize`; where there is none, the end of its stderr."""
    done = shell.run("optimize", str(path), *options, "--target", "cpu", "--json", **env)
    if not done.out.strip():
        return {"status": "error", "error": done.err[-500:]}
    document: Figures = json.loads(done.out)
    return document


def _scripted(shell: Shell, path: Path, file: Path) -> Figures:
    """Optimize with a model that answers with a file."""
    source, server = file.read_text(), Loopback()
    server.respond = lambda asked: _answer(asked, source)
    try:
        model = ("-m", "openai/gpt-4o", "-b", guess_backend(source), "-n", "1")
        env = {"OPENAI_API_KEY": "loopback", "OPENAI_BASE_URL": f"{server.url}/v1"}
        return _optimize(shell, path, *model, **env)
    finally:
        server.close()


def _answer(asked: Asked, source: str) -> Reply:
    system = str(asked.body["messages"][0]["content"]).lower()
    chosen = {"change": "Fuse.", "backend": guess_backend(source), "expected_speedup": 1.5}
    plan = json.dumps({"ideas": ["fuse"], "chosen": chosen})
    file = f"Here it is.\n\n```python\n{source}```\n"
    return openai_answer(plan if '"ideas"' in system else file, usage=openai_usage(1000, 100))


def _delivered_row(path: Path, by: str, document: Figures) -> Figures:
    verdict = document.get("verdict") or {}
    eager = (verdict.get("speedup") or {}).get("eager")
    return {
        "module": path.stem,
        "by": by,
        "status": document["status"],
        "reason": document.get("error") or verdict.get("reason"),
        "speedup": round(eager["median"], 3) if eager else None,
        "uses": {result["use"]: result["outcome"] for result in verdict.get("uses", [])},
        "details": [
            f"{result['use']}: {result['detail']}"
            for result in verdict.get("uses", [])
            if result["outcome"] in HARM
        ],
        "flags": [flag["rule"] for flag in verdict.get("flags", [])],
    }


# -- guarded files --------------------------------------------------------------------------------


def guarded_files(scratch: Path, arguments: argparse.Namespace, stored: Figures) -> Figures:
    """Count the outcomes of the uses of guarded model files."""
    rows = {row["module"]: row for row in stored.get("rows", [])}
    end = time.monotonic() + 60 * arguments.minutes
    for path, file in model_files().items():
        if time.monotonic() > end or (arguments.only and path.stem not in arguments.only):
            continue
        row = rows[path.stem] = _guarded_row(path, file, scratch / "guarded")
        print(row, flush=True)
    can_be = [row for row in rows.values() if row["uses"]]
    kept = [row for row in can_be if not _harms(row)]
    return {
        "files": len(rows),
        "without_a_guard": [row["module"] for row in rows.values() if not row["uses"]],
        "refused": [row["module"] for row in can_be if _harms(row)],
        "kept": len(kept),
        "uses": sum(len(row["uses"]) for row in kept),
        "outcomes": dict(Counter(outcome for row in kept for outcome in row["uses"].values())),
        "rows": list(rows.values()),
    }


def _guarded_row(path: Path, file: Path, cache: Path) -> Figures:
    row: Figures = {"module": path.stem, "uses": {}, "details": []}
    with Reference.open(load_task(str(path)), machine(THREADS)) as reference:
        try:
            delivery = deliver(Judge(reference, cache), read_candidate(file))
        except NotDeliverableError as error:
            return {**row, "reason": str(error)}
        run_uses = RunUses(reference)
        seconds, results = _seconds(reference, run_uses, delivery.candidate, cache, "strict")
    row["seconds"] = round(seconds, 2)
    row["uses"] = {result.use: result.outcome for result in results}
    row["details"] = [f"{r.use}: {r.detail}" for r in results if r.outcome in HARM]
    return row


# -- cost -----------------------------------------------------------------------------------------


def cost(scratch: Path, arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Try all uses of honest candidates, and measure the seconds that they take."""
    pairs = [pair for pair in load_corpus() if pair.backend in BACKENDS]
    at_strict = pairs[:: arguments.every]
    rows = []
    for task, group in groupby(pairs, key=lambda pair: pair.task):
        of_task = list(group)
        with Reference.open(load_task(task), machine(THREADS)) as reference:
            for level, chosen in zip(LEVELS, (of_task, at_strict), strict=True):
                run_uses = RunUses(reference)
                for pair in (pair for pair in chosen if pair.task == task):
                    seconds, results = _seconds(
                        reference, run_uses, pair.candidate, scratch / "cost", level
                    )
                    rows.append(_cost_row(pair.name, level, seconds, results))
                    print(rows[-1], flush=True)
    return {**{level: _cost_summary(rows, level) for level in LEVELS}, "rows": rows}


def _cost_row(name: str, level: Level, seconds: float, results: tuple[UseResult, ...]) -> Figures:
    return {
        "pair": name,
        "level": level,
        "seconds": round(seconds, 2),
        "outcomes": dict(Counter(result.outcome for result in results)),
        "harm": {r.use: r.detail for r in results if r.outcome in HARM},
    }


def _seconds(
    reference: Reference, run_uses: RunUses, candidate: Candidate, cache: Path, level: Level
) -> tuple[float, tuple[UseResult, ...]]:
    workloads = [reference.prepare(workload) for workload in reference.workloads()]
    budget_s = EFFORTS[level].uses_s
    with run_uses.expected(workloads) as choose:
        with trial(reference, choose, candidate, cache, level, budget_s) as started:
            start = time.monotonic()
            results = started.run().results
            return time.monotonic() - start, results


def _cost_summary(rows: list[Figures], level: Level) -> Figures:
    of_level = [row for row in rows if row["level"] == level]
    return {
        "candidates": len(of_level),
        "median_s": round(statistics.median(row["seconds"] for row in of_level), 2),
        "longest_s": max(row["seconds"] for row in of_level),
        "flagged": sum(bool(row["harm"]) for row in of_level),
    }


def guarded(_scratch: Path, _arguments: argparse.Namespace, _stored: Figures) -> Figures:
    """Measure what guards cost, by operands and parameters."""
    return guards.cost()


PARTS: dict[str, Callable[[Path, argparse.Namespace, Figures], Figures]] = {
    "misuses": planted,
    "delivered": delivered,
    "guarded": guarded_files,
    "cost": cost,
    "guards": guarded,
}


if __name__ == "__main__":
    main()
