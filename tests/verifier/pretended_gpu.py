"""A worker that takes a CPU for a GPU, so that machines without a GPU can test all but CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.sandbox import gpu
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.verifier.inside import worker
from kernelwright.verifier.reference import reference
from kernelwright.verifier.worker import start

EVENT = """
class Event:
    def __init__(self, enable_timing: bool) -> None:
        pass

    def record(self) -> None:
        self.at = time.perf_counter_ns()

    def elapsed_time(self, end: Event) -> float:
        return (end.at - self.at) / 1e6


Tree = Any
"""
CHANGES = (
    ("self.device = device", 'self.device = "cpu"'),
    ('return self.device.partition(":")[0]', 'return "cuda"'),
    ("SYNCHRONIZE = torch.cuda.synchronize", "SYNCHRONIZE = int"),
    ("Tree = Any\n", EVENT),
    ("torch.cuda.Event(", "Event("),
    ("torch.cuda.get_device_properties(self.device).L2_cache_size", "2**16"),
    ('ctypes.CDLL("libcuda.so.1").cuCtxResetPersistingL2Cache()', "pass"),
    ("torch.cuda.get_rng_state(self.device)", "torch.get_rng_state()"),
    ('"device": tensor.device.type', '"device": "cuda"'),
    ('"cuda": 8192', '"cuda": 256'),
    ('"cuda": 16', '"cuda": 1'),
    ("((2**19, 64), (2**28, 4))", "((2**19, 4),)"),
)


def pretended_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine with one such device."""
    text = Path(str(worker.__file__)).read_text()
    for before, after in CHANGES:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "worker.py"
    path.write_text(text)
    monkeypatch.setattr(start, "WORKER_PATH", str(path))
    for module in (start, gpu):
        monkeypatch.setattr(module, "gpu_uuid", lambda device: f"GPU-of-{device}")
    monkeypatch.setattr(reference, "MEMORY_BYTES", {"cuda": 2**24})
    return Machine(ProcessSandbox(), 1, "cuda:0")
