"""Play mutated streams to the judge and count what becomes of them.

Run as a script it plays many: `python -m tests.fuzz.driver COUNT SEED`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

from kernelwright.schema import Status
from kernelwright.verifier.worker import channel
from kernelwright.verifier.worker.faults import WorkerFault, Wrong
from tests.fuzz.player import Clock, Hung, Player, Stream
from tests.fuzz.recordings import Session, recordings
from tests.fuzz.sessions import Watched, readable
from tests.fuzz.streams import stream
from tests.fuzz.truth import is_right

# CPU seconds for one stream: the virtual clock stands still while the judge itself works.
SLOW_S = 5.0


class Finding(NamedTuple):
    """A stream that the judge did not stand up to."""

    kind: str
    """`crash`, `hang` or `acceptance`."""
    number: int
    session: str
    how: tuple[str, ...]
    words: str


class Outcome(NamedTuple):
    """The outcome of some streams."""

    faults: Counter[Status]
    harmless: int
    """Taken, and rightly: all that the judge used was as an honest worker's."""
    findings: list[Finding]
    seconds: float
    """CPU time."""

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def fuzz(count: int, seed: int) -> Outcome:
    """Play streams 0 to `count` of a seed."""
    sessions = recordings()
    start = time.process_time()
    faults: Counter[Status] = Counter()
    findings: list[Finding] = []
    with virtual_clock() as clock:
        for number in range(count):
            session, sent = stream(seed, number, sessions)
            found = play(session, sent, clock)
            if isinstance(found, Status):
                faults[found] += 1
            elif found is not None:
                findings.append(Finding(found[0], number, session.name, sent.how, found[1]))
    harmless = count - faults.total() - len(findings)
    return Outcome(faults, harmless, findings, time.process_time() - start)


@contextmanager
def virtual_clock() -> Iterator[Clock]:
    """Let the judge's channel go by a clock that only waiting moves."""
    clock = Clock()
    with patch.object(channel, "time", clock):
        yield clock


def play(session: Session, sent: Stream, clock: Clock) -> Status | tuple[str, str] | None:
    """Play a stream; return a fault's status, a finding's kind and words, or None for no harm."""
    client = Watched(Player(sent, session.shared, clock))
    start = time.process_time()
    try:
        with readable(session.readable):
            session.play(client, session.subject)
    except (WorkerFault, Wrong) as fault:
        return _slow(start) or fault.status
    except Hung as hang:
        return "hang", str(hang)
    except Exception as error:  # whatever it is: to find it is the point
        return "crash", f"{type(error).__name__}: {error}"
    if not is_right(session, client):
        return "acceptance", "taken for right, and is not"
    return _slow(start)


def _slow(start: float) -> tuple[str, str] | None:
    took = time.process_time() - start
    return ("hang", f"{took:.1f} s for one stream") if took > SLOW_S else None


def main() -> None:
    """Play as many as the command line says."""
    outcome = fuzz(int(sys.argv[1]), int(sys.argv[2]))
    print(dict(outcome.faults), outcome.harmless, f"{outcome.seconds:.1f} s")
    for finding in outcome.findings:
        print(*finding, sep=" | ")


if __name__ == "__main__":
    main()
