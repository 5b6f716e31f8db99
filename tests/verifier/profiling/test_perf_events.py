"""Tests of counting a process's events; hardware events only where there are any."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kernelwright.verifier.profiling.perf_events import EVENTS, Counting, PerfEvent, counter_facts

SOFTWARE = 1
PAGE_FAULTS = {"page faults": PerfEvent(SOFTWARE, 2)}
TOUCHING = """
import mmap, sys
sys.stdin.readline()
memory = mmap.mmap(-1, 4096 * 3000)
for page in range(3000):
    memory[4096 * page] = 1
print("done", flush=True)
sys.stdin.readline()
"""


def faults_of(other: bool) -> dict[str, float]:
    process = subprocess.Popen(
        [sys.executable, "-c", TOUCHING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        idle = subprocess.Popen(["sleep", "60"]) if other else process
        with Counting(idle.pid, PAGE_FAULTS) as counting:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
        if other:
            idle.kill()
            idle.wait()
        process.stdin.write("\n")
    return counting.found


def test_a_process_is_counted_and_its_neighbour_is_not() -> None:
    found = faults_of(other=False)
    if not found:
        pytest.skip("this system lets nobody count")
    assert 3000 <= found["page faults"] < 6000
    assert faults_of(other=True).get("page faults", 0) < 1000


def test_what_the_processor_does_not_have_is_left_out() -> None:
    nonsense = {"nothing": PerfEvent(250, 7)}
    process = subprocess.Popen(["sleep", "60"])
    try:
        with Counting(process.pid, nonsense) as counting:
            pass
        assert counting.found == {}
        with Counting(process.pid) as counting:
            pass
        assert counting.found.keys() <= EVENTS.keys()
    finally:
        process.kill()
        process.wait()


def test_a_process_that_is_gone_has_no_counts() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with Counting(process.pid) as counting:
        pass
    assert counting.found == {}


def test_counts_in_words() -> None:
    found = {
        "cycles": 2e9,
        "instructions": 5e9,
        "branch misses": 5e6,
        "last-level misses": 1e8,
    }
    assert counter_facts(found, 0.8) == [
        "2.50 instructions per cycle",
        "1.0 branch misses per 1000 instructions",
        "8.0 GB/s read past the last cache (without prefetches)",
    ]
    assert counter_facts({}, 1.0) == []
    assert counter_facts({"cycles": 1.0}, 0.0) == []
