"""Facts recorded of a GPU, from what a driver's tool prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.sandbox import gpu
from kernelwright.sandbox.gpu import gpu_identity, gpu_processes, gpu_state

SMI = """#!/bin/sh
[ "$1 $2" = "-i GPU-12ab" ] || exit 1
case "$3" in
  --query-gpu=name,*) echo "NVIDIA Example, GPU-12ab, 580.65" ;;
  --query-gpu=clocks*) echo "1980, 3201, 41, [N/A], 0x0000000000000000" ;;
  *) echo 417; echo 998 ;;
esac
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "nvidia-smi"
    path.write_text(SMI)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    uuids = {"cuda:0": "GPU-34cd", "cuda:1": "GPU-12ab"}
    monkeypatch.setattr(gpu, "gpu_uuid", uuids.get)
    gpu_identity.cache_clear()
    return path


def test_identity_and_state(smi: Path) -> None:
    assert gpu_identity("cuda:1") == {
        "gpu": "NVIDIA Example",
        "gpu_uuid": "GPU-12ab",
        "gpu_driver": "580.65",
    }
    assert gpu_state("cuda:1") == {
        "gpu_sm_mhz": "1980",
        "gpu_memory_mhz": "3201",
        "gpu_celsius": "41",
        "gpu_watts": None,
        "gpu_throttled": "0x0000000000000000",
    }
    assert gpu_processes("cuda:1") == {417, 998}


def test_what_nobody_says_is_unknown(smi: Path) -> None:
    assert set(gpu_state("cuda:0").values()) == {None}
    assert gpu_processes("cuda:0") == set()
    smi.unlink()
    assert set(gpu_identity("cuda:1").values()) == {None}


def test_a_cpu_has_none_of_it() -> None:
    assert gpu_identity("cpu") == gpu_state("cpu") == {}
