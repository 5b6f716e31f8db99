"""Tests of the rules on candidates that ran, on real processes and made-up measurements."""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kernelwright.sandbox.base import WorkerProcess, WorkerSpec
from kernelwright.sandbox.memory import MappedRegion, mappings
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Flag
from kernelwright.testing.sandbox import is_alive, until
from kernelwright.verifier.correctness.precision import precision_flags
from kernelwright.verifier.integrity.attribution import attribution_flags
from kernelwright.verifier.integrity.physical import arithmetic_flags, memory_flags
from kernelwright.verifier.integrity.runtime import (
    core_flags,
    cpu_flags,
    file_flags,
    operator_flags,
    process_flags,
    setting_flags,
    thread_flags,
)
from kernelwright.verifier.reference.peaks import Peaks
from kernelwright.verifier.tolerance import Difference
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.sampler import CodeSamples, Owner, owner, sample


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ProcessSandbox]:
    opened = ProcessSandbox()
    yield opened
    opened.close()


def running(sandbox: ProcessSandbox, script: str, cores: tuple[int, ...] = ()) -> WorkerProcess:
    """Start a worker that has run a script and waits."""
    text = f"import os, socket, sys, threading, time\n{script}\n"
    text += "socket.socket(fileno=3).send(b'x')\ntime.sleep(600)"
    spec = WorkerSpec(argv=("-c", text), env={}, memory_bytes=2**30, files={}, cores=cores)
    worker = sandbox.start(spec)
    worker.channel.settimeout(20)
    assert worker.channel.recv(1) == b"x"
    return worker


def rules(flags: Iterator[Flag]) -> list[str]:
    return [flag.rule for flag in flags]


def test_an_idle_worker_shows_nothing(sandbox: ProcessSandbox) -> None:
    core = min(os.sched_getaffinity(0))
    worker = running(sandbox, "", (core,))
    assert not rules(process_flags(worker))
    worker.freeze()
    assert not rules(core_flags(worker))
    assert not rules(thread_flags(worker, 1, 1))
    assert not rules(file_flags(worker))


ORPHAN = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(600)
    os._exit(0)
time.sleep(0.3)
"""


@pytest.mark.parametrize("script", ["if os.fork() == 0: os.setsid(); time.sleep(600)", ORPHAN])
def test_a_process_of_its_own_session_is_found_and_ended(
    sandbox: ProcessSandbox, script: str
) -> None:
    worker = running(sandbox, script)
    assert until(lambda: rules(process_flags(worker)) == ["left-its-group"])
    left = worker.escaped()
    worker.kill()
    assert until(lambda: not any(map(is_alive, left)))


def test_more_threads_cores_and_files_are_seen(sandbox: ProcessSandbox) -> None:
    cores = sorted(os.sched_getaffinity(0))
    script = "[threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(9)]\n"
    script += f"os.sched_setaffinity(0, {cores})\n"
    script += "kept = open('/tmp/kernelwright-test-left', 'w')"
    worker = running(sandbox, script, (cores[0],))
    assert rules(thread_flags(worker, 1, 1)) == ["threads-left"]
    assert rules(file_flags(worker)) == ["files-outside"]
    worker.freeze()
    assert rules(core_flags(worker)) == (["more-cores"] if len(cores) > 1 else [])
    Path("/tmp/kernelwright-test-left").unlink()


def test_processor_time_settings_and_operators() -> None:
    assert rules(cpu_flags(2.0, 1.0, 1)) == ["more-cores"]
    assert not rules(cpu_flags(1.1, 1.0, 1))
    assert not rules(cpu_flags(0.09, 0.01, 1))  # the counters tick in 10 ms
    changed = list(setting_flags({"a": "1", "b": "2"}, {"a": "1", "b": "3", "$C": "4"}))
    assert [flag.rule for flag in changed] == ["settings-changed"]
    assert "b: 2 -> 3" in changed[0].evidence
    assert not rules(setting_flags({"a": "1"}, {"a": "1"}))
    half = {"aten.mm.default": ["bfloat16"], "aten.add.Tensor": ["float32"]}
    assert rules(operator_flags(half, ["float32"])) == ["half-operators"]
    assert not rules(operator_flags(half, ["float32", "bfloat16"]))


def test_an_address_has_an_owner() -> None:
    def region(start: int, path: str) -> MappedRegion:
        return MappedRegion(start, start + 10, path)

    regions = [
        region(0, "/tmp/kernelwright-x/build/softmax.so"),
        region(10, "/lib/site-packages/torch/lib/libtorch_cpu.so"),
        region(20, "/lib/site-packages/torch/lib/libgomp-1.so"),
        region(30, "/usr/lib/libm.so.6"),
        region(40, "/tmp/kernelwright-x/build/inductor/ab/cd.so"),
        region(50, ""),
        region(60, f"/tmp/kernelwright-x/build/ab/c{'a2' * 25}z.main.so"),
    ]
    owners = [owner(address, regions, "/tmp/kernelwright-x") for address in range(5, 85, 10)]
    assert owners == [
        "candidate", "library", "waiting", "neutral", "compiler", "compiler",
        "compiler", "neutral",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "others", "policy", "found"),
    [
        (100, 5, "custom", []),
        (100, 5, "any", []),
        (5, 100, "custom", ["no-custom-code"]),
        (5, 100, "any", ["torch-does-the-work"]),
        (48, 52, "custom", ["torch-does-the-work"]),  # half, within the spread
        (3, 3, "custom", ["engagement-unknown"]),
        (3, 3, "any", []),
    ],
)
def test_what_samples_mean(own: int, others: int, policy: str, found: list[str]) -> None:
    counted: Counter[Owner] = Counter({"candidate": own, "library": others, "waiting": 900})
    assert rules(attribution_flags(CodeSamples(counted), policy)) == found  # type: ignore[arg-type]


def test_a_busy_process_is_sampled_from_outside(sandbox: ProcessSandbox) -> None:
    worker = running(sandbox, "threading.Thread(target=exec, args=('while True: pass',)).start()")
    rounds = iter(range(40))
    found = sample(worker, lambda: next(rounds, None) is None)
    assert found.samples["neutral"] > 10
    assert found.custom_share is None


def test_what_the_machine_does_not_allow() -> None:
    peaks = Peaks(cache_bytes_per_s=1e10, flops_per_s=1e11)
    assert rules(memory_flags(peaks, 10**6, 1e-6)) == ["faster-than-memory"]
    assert not rules(memory_flags(peaks, 10**6, 1e-4))
    assert rules(arithmetic_flags(peaks, 10**9, 1e-3)) == ["faster-than-arithmetic"]
    assert not rules(arithmetic_flags(peaks, 10**9, 1e-2))
    assert not rules(arithmetic_flags(peaks, 0, 1e-9))


@pytest.mark.parametrize(
    ("bits", "reference", "dtype", "found"),
    [
        (8.4, 23.0, torch.float32, True),
        (11.2, 22.0, torch.float32, True),
        (21.0, 23.0, torch.float32, False),
        (0.5, 23.0, torch.float32, False),
        (11.0, 13.0, torch.float32, False),
        (8.4, 8.5, torch.bfloat16, False),
        (None, None, torch.float32, False),
        (12.0, None, torch.float32, True),
    ],
)
def test_an_error_of_the_size_of_a_lower_precision(
    bits: float | None, reference: float | None, dtype: torch.dtype, found: bool
) -> None:
    difference = Difference(None, 1.0, 0.0, 1.0, bits, reference)
    expected = ["precision-downgrade"] if found else []
    assert rules(precision_flags([difference], [Spec(dtype, (4,))])) == expected


def test_mathematics_of_vectors_is_nobodys_work() -> None:
    """Check SLEEF's owner: kernels written with torch's headers call it in torch's library."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    function = ctypes.CDLL(str(library)).Sleef_expf8_u10avx2
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    regions = mappings(os.getpid())
    assert owner(address, regions, "/tmp/kernelwright-x") == "neutral"
    start = min(region.start for region in regions if region.path == str(library))
    assert owner(start, regions, "/tmp/kernelwright-x") == "library"
