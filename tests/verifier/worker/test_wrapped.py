"""Tests of NVIDIA's tools around a worker, played by scripts that print as the tools do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kernelwright.schema import Evidence, Workload
from kernelwright.verifier.profiling import ncu
from kernelwright.verifier.profiling.ncu import METRICS, counter_words, parsed, with_counters
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer.memcheck import gpu_sanitizer_flags, memory_error
from tests.verifier import kit
from tests.verifier.pretended_gpu import pretended_gpu

TOOL = """#!{python}
import os, subprocess, sys
at = sys.argv.index("-I") - 1
log = sys.argv[sys.argv.index("--log-file") + 1]
code = subprocess.call(sys.argv[at:], close_fds=False)
open(log, "w").write({text!r})
sys.exit(code)
"""
STALLED = "smsp__average_warps_issue_stalled_{}_per_issue_active.ratio"
ROWS = (
    ("ID", "Kernel Name", "Metric Name", "Metric Unit", "Metric Value"),
    ("0", "softmax_kernel", "gpu__time_duration.sum", "nsecond", "120,500"),
    ("0", "softmax_kernel", "dram__bytes_read.sum", "byte", "268,435,456"),
    ("0", "softmax_kernel", "dram__bytes_write.sum", "byte", "268,435,456"),
    ("0", "softmax_kernel", "dram__throughput.avg.pct_of_peak_sustained_elapsed", "%", "91.4"),
    ("0", "softmax_kernel", "lts__t_sector_hit_rate.pct", "%", "n/a"),
    ("0", "softmax_kernel", STALLED.format("barrier"), "inst", "0.4"),
    ("0", "softmax_kernel", STALLED.format("long_scoreboard"), "inst", "11.2"),
    ("1", "void at::native::fill", "gpu__time_duration.sum", "nsecond", "2,000"),
)
COUNTERS = "==PROF== Connected to process 4711 (/usr/bin/python3.12)\n" + "".join(
    ",".join(f'"{cell}"' for cell in row) + "\n" for row in ROWS
)
FORBIDDEN = "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access counters\n"
MEMCHECK = """========= COMPUTE-SANITIZER
========= Invalid __global__ read of size 4 bytes
=========     at softmax_kernel+0x70
=========     by thread (255,0,0) in block (12,0,0)
=========     Address 0x7f1e2a200400 is out of bounds
========= ERROR SUMMARY: 1 error
"""
CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
REFERENCE = """
    class Model(nn.Module):
        def forward(self, x):
            return x + 1

    def get_inputs():
        return [torch.rand(8, 8)]

    def get_init_inputs():
        return []
"""
TASK = kit.task(REFERENCE, workloads=(Workload(name="gpu", target="cuda"),))
CANDIDATE = kit.candidate(kit.forward("return 1 + x"), "torch")
CALL = "def profiled_call(loaded, key):\n    loaded[key].call(*loaded[key].slots[0])\n"
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    def write(name: str, text: str) -> None:
        path = tmp_path / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TOOL.format(python=sys.executable, text=text))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    call = tmp_path / "call.py"
    call.write_text(CALL)
    monkeypatch.setattr(ncu, "time_warm", SimpleNamespace(__file__=str(call)))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "nothing"))
    return write


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reference]:
    with Reference(TASK, pretended_gpu(tmp_path, monkeypatch), 7) as found:
        yield found


def evidence_of(reference: Reference, folder: Path) -> Evidence:
    (folder / "build").mkdir(exist_ok=True)
    prepared = reference.prepare(TASK.workloads[0]).prepared
    before = Evidence(level="trace", facts=("one",))
    return with_counters(before, reference, CANDIDATE, folder / "build", prepared)


def test_counters_become_evidence(reference: Reference, install: Install, tmp_path: Path) -> None:
    assert evidence_of(reference, tmp_path) == Evidence(level="trace", facts=("one",))
    install("ncu", COUNTERS)
    found = evidence_of(reference, tmp_path)
    assert found.level == "counters" and found.facts[0] == "one"
    assert found.facts[1].startswith("softmax_kernel: 120.5 us alone, 91% of the memory's peak")
    install("ncu", FORBIDDEN)
    found = evidence_of(reference, tmp_path)
    assert found.level == "trace" and "not permitted" in found.facts[1]


def test_counters_in_words() -> None:
    launches = parsed(COUNTERS)
    assert [one.kernel for one in launches] == ["softmax_kernel", "void at::native::fill"]
    assert "lts__t_sector_hit_rate.pct" not in launches[0].values
    first, second = counter_words(launches)
    assert first.endswith("536.9 MB moved, warps wait most for global or local memory")
    assert second == "void at::native::fill: 2.0 us alone"
    assert counter_words(parsed("")) == []
    assert len(METRICS) <= 24


def test_memory_errors_refuse(reference: Reference, install: Install, tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (missing,) = gpu_sanitizer_flags(CANDIDATE, reference, build)
    assert missing.rule == "sanitizer-unavailable"
    install("compute-sanitizer", MEMCHECK)
    (error,) = gpu_sanitizer_flags(CANDIDATE, reference, build)
    assert error.rule == "gpu-memory-error" and error.severity == "refuse"
    assert error.evidence == "Invalid __global__ read of size 4 bytes at softmax_kernel+0x70"
    install("compute-sanitizer", CLEAN)
    assert gpu_sanitizer_flags(CANDIDATE, reference, build) == []
    failing = kit.candidate(kit.forward("raise ValueError('no')"), "torch")
    (incomplete,) = gpu_sanitizer_flags(failing, reference, build)
    assert incomplete.rule == "sanitizer-incomplete" and "no" in incomplete.evidence


def test_reports_in_words() -> None:
    assert memory_error(CLEAN) is None
    assert memory_error("========= Misaligned shared or local address\n") is not None
