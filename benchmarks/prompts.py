"""Tokens of a late coder prompt and of its answer, on the twelve library tasks; no model is asked.

    python -m benchmarks.prompts

Tokens are bytes / 3.5, as in the estimate of a run. The search is scripted: six attempts with a
library file that differ in their tunables, with made-up verdicts, one of them wrong. The prompt is
the coder's, for the next improvement of the best one. The answer rewrites the kernel's entry
function: as an edit, which is what is asked for by default, and in a whole file.
Writes results/prompts.json.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator

from benchmarks import results_file
from kernelwright.agents.model.coder import coder_context
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.estimate import BYTES_PER_TOKEN
from kernelwright.agents.model.traced import lines
from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.graph import Graph
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search.greedy import Greedy
from kernelwright.kernels.runtime import shortened
from kernelwright.prompts.render import render
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Attempt, Facts, Status, Task
from kernelwright.tasks.loader import library_ids, load_task
from tests.agents.offline_kit import library_graph
from tests.store import samples

BEFORE = {"prompt": 16120.5, "answer": 3687.0}
"""Medians on commit a636cb4, by this script with `coder_context(view, machine, idea, False)` and
`file` for the answer: whole files were asked for by default, and held the runtime's text."""
THREADS = 2
SPEEDUPS = (1.1, 3.0, None, 2.2, 1.6, 2.9)
PLAN = "Keep {} more accumulators in registers and finish the row in one pass. (expected 1.3x)"
DIAGNOSIS = (
    "Bottleneck: every row is read twice.\nEvidence: 2.1 MB are moved where 1.1 MB must be.\n"
    "Fix: finish a row while it lies in the first-level cache."
)
IDEA = Idea(text=PLAN.format(4), backend="cpp")
TIMES = (
    "eager takes about 1,234.5 us a call on 'cpu'",
    "PyTorch operators take about 98% of the time",
    *(f"aten::operator_{number}: {share}% of the time" for number, share in enumerate((60, 25, 9))),
)
ROOF = (
    "at least 12.58 MB must be moved per call; at the measured copy bandwidth of 14.2 GB/s that "
    "takes 886.0 us",
    "so the roof is 886.0 us a call, 72% of eager's time (an estimate)",
)


def main() -> None:
    """Count the tokens and store them."""
    rows = {identity: tokens(load_task(identity)) for identity in library_ids()}
    median = {
        name: statistics.median(row[name] for row in rows.values())
        for name in ("prompt", "answer", "file")
    }
    figures = {
        "bytes_per_token": BYTES_PER_TOKEN,
        "before": BEFORE,
        "median": median,
        "ratio": {
            "prompt": median["prompt"] / BEFORE["prompt"],
            "answer": median["answer"] / BEFORE["answer"],
            "file": median["file"] / BEFORE["answer"],
        },
        "tasks": rows,
    }
    print(results_file.write("prompts", figures, THREADS))
    print(figures["ratio"])


def tokens(task: Task) -> dict[str, int]:
    """Return the tokens of a task's prompt, and of the answer as an edit and as a file."""
    graph = library_graph(task.id.removeprefix("library/"))
    view = late_view(task, graph)
    facts = Facts(times=TIMES, roof=ROOF, graph=lines(graph), versions=("Versions: torch 2.13.0",))
    brief = Brief(Machine(ProcessSandbox(), THREADS, "cpu"), facts=facts)
    prompt = "".join(m.content for m in render("coder", coder_context(view, brief, IDEA)))
    assert view.parent is not None and view.parent.candidate is not None
    shown = shortened(view.parent.candidate.source)
    texts = {"prompt": prompt, "answer": edit(shown), "file": f"```python\n{shown}```\n"}
    return {name: round(len(text.encode()) / BYTES_PER_TOKEN) for name, text in texts.items()}


def late_view(task: Task, graph: Graph) -> View:
    """Return what the coder may know after six attempts."""
    history: list[Attempt] = []
    for index, (speedup, source) in enumerate(zip(SPEEDUPS, files(task, graph), strict=False)):
        made = samples.candidate(source)
        status = Status.PASSED if speedup else Status.INCORRECT_NUMERICAL
        verdict = samples.evaluation(made, speedup, status=status, for_task=task)
        plan = PLAN.format(index)
        history.append(
            samples.attempt(index, made, evaluation=verdict, plan=plan, diagnosis=DIAGNOSIS)
        )
    (move,) = Greedy().choose([a for a in history if a.index != 2], 1, 0)
    return View(task, len(history), move, tuple(history), ("cpp",))


def files(task: Task, graph: Graph) -> Iterator[str]:
    """Yield library files of a task that differ in their tunables."""
    arguments = forward_arguments(task.source)
    assert arguments is not None
    plan = design(graph, arguments)
    for number in range(len(SPEEDUPS)):
        tunables = {name: values[0] + number for name, values in plan.tunables().items()}
        yield library_candidate(task.source, f"Attempt {number}.", plan, tunables)


def edit(source: str) -> str:
    """Return an edit that rewrites a file's last function with C linkage, in as many bytes."""
    entry = re.findall(r'^extern "C" .*?^}$', source, re.M | re.S)[-1]
    return f"<<<<<<< SEARCH\n{entry}\n=======\n{entry}\n>>>>>>> REPLACE\n"


if __name__ == "__main__":
    main()
