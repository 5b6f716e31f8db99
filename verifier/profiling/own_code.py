"""The hot lines of a C++ candidate, by looking at its threads at random moments.

The worker runs some calls more, after all that is judged, and is stopped hundreds of times. Where
its program counters were then is looked up in the disassembly of its shared object, inside the
sandbox. That needs no hardware counters and no permission beyond those that judging takes. An
instruction also gets the samples of an earlier one that it waited for. Calls have the same inputs
each time, so what fits into a cache lies there.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from kernelwright.schema import Candidate, HotLine, OwnCode, Record
from kernelwright.verifier.build.notes import Missed
from kernelwright.verifier.inside import disassemble_cpu
from kernelwright.verifier.sanitizer.wording import embedded_line
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.sampler import Sighting

COMPUTING = ("candidate", "library", "compiler")
# All calls of a run keep their results, so a run is short.
RUN_US = 20_000
PROFILED_S, PATIENCE_S = 0.6, 5.0
"""How long it is watched; on busy cores longer, until it computed at enough moments."""
FEWEST, ENOUGH = 50, 400
LOOKED_UP, SHOWN_LINES, SHOWN_INSTRUCTIONS = 200, 5, 3
LEAST_SHARE, LEAST_SHARE_OF_ONE = 0.03, 0.01
# Lines between a loop's head and what is hot in it, at most.
LOOP_LINES = 20
# On one line: models are shown it outside of fences.
Text = Annotated[str, Field(max_length=300, pattern=r"^\P{C}*$")]


class Instruction(Record):
    """An instruction of a disassembly."""

    at: int
    text: Text
    function: Text
    file: Text
    line: int
    """0 where it is unknown."""

    @property
    def is_single(self) -> bool:
        """Whether it works on a single number, which it leaves single."""
        name = self.text.partition(" ")[0]
        return name.endswith(("ss", "sd")) and "broadcast" not in name

    @property
    def is_packed(self) -> bool:
        """Whether it works on several numbers at once."""
        return self.text.partition(" ")[0].endswith(("ps", "pd"))


INSTRUCTIONS = TypeAdapter(list[Instruction])


def own_code(
    instance: Instance, candidate: Candidate, median_us: float, missed: Sequence[Missed]
) -> OwnCode | None:
    """Return the hot lines of a timed candidate, for which it runs once more.

    Args:
        median_us: microseconds of a call.
        missed: loops that the compiler did not vectorise.

    Returns:
        None where there are too few samples in one shared object that it built.
    """
    moments = _moments(instance, median_us)
    computing = [one for moment in moments for one in moment if one.owner in COMPUTING]
    own = [one for one in computing if one.owner == "candidate"]
    if len(own) < FEWEST:
        return None
    threads = Counter(one.thread for one in computing)
    return OwnCode(
        samples=len(own),
        share=len(own) / len(computing),
        busy=tuple(sorted((count / len(moments) for count in threads.values()), reverse=True)),
        lines=tuple(_lines(instance, candidate, own, missed)),
    )


def _moments(instance: Instance, median_us: float) -> list[list[Sighting]]:
    """Return what the threads did at some moments, those outside of system calls."""
    calls = max(1, round(RUN_US / median_us))
    found: list[list[Sighting]] = []
    started, own, computing = time.monotonic(), 0, 0
    while own < ENOUGH:
        seconds = time.monotonic() - started
        is_seen = own >= FEWEST or computing >= ENOUGH
        if seconds > (PROFILED_S if is_seen else PATIENCE_S):
            break
        more = instance.watched_run([0] * calls)
        owners = [one.owner for moment in more for one in moment]
        own += owners.count("candidate")
        computing += sum(owner in COMPUTING for owner in owners)
        found += more
    return found


def _lines(
    instance: Instance, candidate: Candidate, own: Sequence[Sighting], missed: Sequence[Missed]
) -> Iterator[HotLine]:
    path, _ = Counter(one.path for one in own).most_common(1)[0]
    counts = Counter(one.offset for one in own if one.path == path)
    found = _looked_up(instance, path, counts)
    by_line: dict[tuple[str, str, int], Counter[Instruction]] = defaultdict(Counter)
    for one in found:
        by_line[one.function, one.file, one.line][one] = counts[one.at]
    lines = sorted(by_line.items(), key=lambda item: -item[1].total())
    for (function, file, number), hot in lines[:SHOWN_LINES]:
        share = hot.total() / len(own)
        if share < LEAST_SHARE:
            return
        text = embedded_line(candidate.source, [function], number, file) if number else None
        is_single = any(one.is_single for one in hot) and not any(one.is_packed for one in hot)
        shares = [(one.text, n / len(own)) for one, n in hot.most_common(SHOWN_INSTRUCTIONS)]
        yield HotLine(
            share=share,
            function=function,
            line=number or None,
            text=text or "",
            instructions=tuple(one for one in shares if one[1] >= LEAST_SHARE_OF_ONE),
            missed=_reason(missed, number) if is_single else None,
        )


def _looked_up(instance: Instance, path: str, counts: Mapping[int, int]) -> list[Instruction]:
    """Return the instructions at the hottest places of a shared object, of which none is trusted.

    The linkers in use put code at the same place in the file as in memory.
    """
    places = [at for at, _ in Counter(counts).most_common(LOOKED_UP)]
    tool = Path(disassemble_cpu.__file__)
    try:
        found = instance.client.tool(tool, "annotated", path=path, at=places)
        known = INSTRUCTIONS.validate_python(found)[:LOOKED_UP]
        return [one for one in known if one.at in counts]
    except (WorkerFault, ValidationError):
        return []


def _reason(missed: Sequence[Missed], number: int) -> str | None:
    """Return why the loop around a line was not vectorised; None where nothing was noted."""
    heads = [one for one in missed if number - LOOP_LINES <= one.line <= number]
    return max(heads, key=lambda one: one.line).reason if heads else None
