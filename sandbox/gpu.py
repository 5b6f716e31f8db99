"""A GPU as NVIDIA's driver describes it: recorded with every verdict, never changed."""

from __future__ import annotations

import csv
import functools
import shutil
import subprocess

import torch

FIXED = {"gpu": "name", "gpu_uuid": "uuid", "gpu_driver": "driver_version"}
VARYING = {
    "gpu_sm_mhz": "clocks.sm",
    "gpu_memory_mhz": "clocks.mem",
    "gpu_celsius": "temperature.gpu",
    "gpu_watts": "power.draw",
    "gpu_throttled": "clocks_event_reasons.active",
}
TIMEOUT_S = 20
UNKNOWN = ("[N/A]", "[Not Supported]", "N/A", "")


@functools.cache
def gpu_uuid(device: str) -> str:
    """Return a GPU's name for the driver and CUDA_VISIBLE_DEVICES, however devices are counted.

    Args:
        device: `cuda:N`, as this process counts.
    """
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


@functools.cache
def gpu_identity(device: str) -> dict[str, str | None]:
    """Return a GPU's name, UUID and driver version; empty for a CPU."""
    return _asked(device, FIXED)


def gpu_state(device: str) -> dict[str, str | None]:
    """Return clocks, temperature, power and what holds the clocks down, now; empty for a CPU."""
    return _asked(device, VARYING)


def gpu_processes(device: str) -> set[int]:
    """Return the ids of processes that hold memory of the GPU, as far as nvidia-smi tells."""
    text = _smi(device, "--query-compute-apps=pid") or ""
    return {int(line) for line in text.split() if line.isdigit()}


def _asked(device: str, fields: dict[str, str]) -> dict[str, str | None]:
    if device == "cpu":
        return {}
    text = _smi(device, f"--query-gpu={','.join(fields.values())}")
    row = next(csv.reader((text or "").splitlines(), skipinitialspace=True), [])
    values: list[str | None] = [None if value in UNKNOWN else value for value in row]
    if len(values) != len(fields):
        values = [None] * len(fields)
    return dict(zip(fields, values, strict=True))


def _smi(device: str, query: str) -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "-i", gpu_uuid(device), query, "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    return done.stdout if done.returncode == 0 else None
